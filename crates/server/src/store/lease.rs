//! The lease on the store: the backend that took it last has the highest epoch, and changes of any other
//! are refused (docs/decisions/0010).

use super::{Conn, StoreError};

/// The fencing token of one backend's hold on the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch(i64);

/// Takes the store from whoever had it.
pub(super) async fn take(conn: &mut Conn) -> Result<Epoch, StoreError> {
    let epoch = sqlx::query_scalar("UPDATE lease SET epoch = epoch + 1 RETURNING epoch")
        .fetch_one(conn)
        .await?;
    Ok(Epoch(epoch))
}

/// Whether nobody has taken the store since.
pub(super) async fn holds(conn: &mut Conn, epoch: Epoch) -> Result<bool, StoreError> {
    let latest: i64 = sqlx::query_scalar("SELECT epoch FROM lease")
        .fetch_one(conn)
        .await?;
    Ok(latest == epoch.0)
}
