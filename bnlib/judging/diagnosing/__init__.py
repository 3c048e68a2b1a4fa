"""Name the mistake: from a wrong result to a name for the teacher and words for the learner."""
