"""The checks of the projects (docs/projects.md), a module a project: each says what is right about a layer that somebody wrote, and gives no mark."""
