"""Who issues commands and why: wishes in no proposal's words, and what a management program may do."""
