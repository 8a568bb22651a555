//! Providers of models as plain values: which there are, what their errors mean, when a request is made again, and
//! what tokens cost. What is sent and read is the business of crate `agents`.

pub mod class;
pub mod overview;
pub mod price;
pub mod record;
pub mod retry;

pub use class::{Answered, Class, classify};
pub use overview::{Overview, PriceView, ProviderCheck, ProviderState, ProviderView};
pub use price::{PRICES_OF, Price, Prices};
pub use record::{Configuration, ConfigurationInvalid, Key, ModelName, Provider, ProviderKind, Wire};
pub use retry::{Next, Retry, Tries};
