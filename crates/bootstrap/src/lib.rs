//! orgseal-bootstrap: what an organization needs before it can be sealed, made from the campaign file, so that nothing is typed
//! twice: keys, roles, documents, rules and guardrails.
//!
//! Rendering is pure; [`deployed`] is the groundwork in AWS. What is there of each kind is a template in `templates/`; a new piece of groundwork is a template and its
//! line in [`render`].

mod cloudformation;
pub mod deployed;
mod documents;
mod groundwork;
mod json;
mod meaning;
mod permissions;
mod pieces;
mod policies;
mod render;
mod services;
mod shell;
mod template;
mod terraform;
mod tree;

pub use documents::DocumentError;
pub use groundwork::{Groundwork, GroundworkError};
pub use permissions::{Grant, Who, grants, table};
pub use policies::{Kind, TooLarge};
pub use render::{Difference, File, RenderError, compare, render, write};
pub use services::service_table;
