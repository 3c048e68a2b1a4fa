"""Judge an answer: what is asked of it, when it is right, what its mistake is called, and how that is shown."""
