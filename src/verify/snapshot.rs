//! What is judged by: keys and policy at one moment, and the rules of a service in them.

use super::accepted::Accepted;
use crate::{
    key::{Column, KeyRecord, Ring},
    policy::Service,
};

/// Keys and policy at one moment: immutable, and used by a request from start to end.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) ring: Ring,
    /// By name.
    pub(super) services: Box<[Service]>,
}

impl Snapshot {
    pub(crate) fn new(ring: Ring, mut services: Vec<Service>) -> Self {
        services.sort_unstable_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        Self { ring, services: services.into() }
    }

    /// The rules of the service of this name.
    pub fn rules(&self, service: &str) -> Option<Rules<'_>> {
        let by_name = |known: &Service| known.name.as_bytes().cmp(service.as_bytes());
        let service = self.services.get(self.services.binary_search_by(by_name).ok()?)?;
        Some(Rules { snapshot: self, service })
    }

    /// The rules of every service, by name.
    pub fn services(&self) -> Vec<Rules<'_>> {
        self.services.iter().map(|service| Rules { snapshot: self, service }).collect()
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &KeyRecord> {
        self.ring.columns().iter().flat_map(Column::records)
    }
}

/// The rules of one service in one snapshot: what is judged by them cannot meet the keys of another.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) service: &'s Service,
}

impl<'s> Rules<'s> {
    /// The service.
    pub fn service(&self) -> &'s Service {
        self.service
    }

    /// What it accepts, in the order of the registry.
    pub fn accepted(&self) -> impl Iterator<Item = Accepted<'s>> + use<'s> {
        let service = self.service;
        let columns = self.snapshot.ring.columns().iter().zip(&service.accept).enumerate();
        columns.filter_map(move |(scheme, (column, accept))| {
            let issued = service.issue == scheme;
            Some(Accepted { column, accept: accept.as_ref()?, issued })
        })
    }
}
