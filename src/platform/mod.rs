//! Where it runs: a profile becomes a bundle of ports.

#[cfg(feature = "local")]
mod bundle;

#[cfg(feature = "local")]
pub use bundle::Platform;
#[cfg(feature = "aws")]
pub use lakehand_aws as aws;
#[cfg(feature = "deploy")]
pub use lakehand_aws::deployment;
pub use lakehand_host::{PlatformError, Played, StandIn, catalog_types, definitions};
#[cfg(feature = "local")]
pub use lakehand_local as local;
