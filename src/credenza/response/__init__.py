"""What follows a finding: how far it reached, the way back, its proof and its rehearsal."""
