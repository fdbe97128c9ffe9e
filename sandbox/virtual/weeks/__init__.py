"""Weeks of a world's life under the recommender, without its queues: the ground under A/B tests."""
