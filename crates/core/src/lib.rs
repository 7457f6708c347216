//! The campaign: discover accounts, judge buckets, seal them with an Automation document, read back, record.
//!
//! Pure decisions in the middle ([`judge`], [`plan`]), AWS at one end ([`aws`]), the durable record at the other
//! ([`ledger`]). [`campaign`] is the code that reads top to bottom. Nothing here knows a screen: whoever wants to show
//! something listens to [`event`].

pub mod atomic_file;
pub mod aws;
pub mod campaign;
pub mod clock;
pub mod config;
pub mod event;
pub mod glob;
mod host;
pub mod judge;
pub mod ledger;
pub mod model;
pub mod plan;
pub mod text;
pub mod unique_json;
