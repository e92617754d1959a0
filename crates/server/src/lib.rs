//! countersignd, the remediation backend.
