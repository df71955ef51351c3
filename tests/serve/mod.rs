//! The daemon's address over real sockets: limits of connections, TLS, who may read and write.

mod access;
mod limits;
mod support;
mod tls;
