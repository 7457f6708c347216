//! Permissions, from outside.
