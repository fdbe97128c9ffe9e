"""What is left of rooms and drills: told again moment by moment, exported, and weighed over a cohort."""
