//! The listening socket.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use super::StartError;
use crate::config::HttpConfig;

/// Connections that the kernel holds until they are accepted: a reconnect storm arrives in one burst.
const BACKLOG: i32 = 4_096;

pub(super) fn listen(config: &HttpConfig) -> Result<(TcpListener, SocketAddr), StartError> {
    let ip: IpAddr = config.bind.parse().expect("the configuration's check parsed it");
    let wanted = SocketAddr::new(ip, config.port);
    bind(wanted).map_err(|error| StartError::Listen(wanted, error))
}

fn bind(wanted: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(wanted), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of the last run to be forgotten.
    socket.set_reuse_address(true)?;
    if wanted.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&wanted.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
