//! HTTP by way of tower: a layer for servers, and one for clients.
