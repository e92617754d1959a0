//! countersignctl, the command line.
