"""From received bytes to a verdict and a version: stages, policy, decision, pipeline."""
