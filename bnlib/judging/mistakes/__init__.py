"""What people write in the place of what: a shared table of rules, and what follows from it for the lines of a derivation."""
