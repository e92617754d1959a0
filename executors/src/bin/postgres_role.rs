//! `countersign-postgres-role CONFIG`: new passwords for roles of a PostgreSQL database, delivered to
//! everybody who uses them.

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign_executors::call::serve(countersign_executors::postgres::Database::new)
}
