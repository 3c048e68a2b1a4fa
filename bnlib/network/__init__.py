"""A small deep network and what is tried with it in lesson 06. It holds what learners write in lesson 05, so it is sealed in their bundle."""
