"""Who may do what: members, rules in Cedar, requests, approvals, and the audit of them all."""
