//! The organization's fixed facts: accounts, organizational units, tags. They are made once and never change.

use std::collections::HashMap;

use crate::policy::controls::Target;

/// An account of the organization.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The newer `State` field: ACTIVE, SUSPENDED, PENDING_CLOSURE, PENDING_ACTIVATION, CLOSED.
    pub(crate) state: &'static str,
    /// An index into the organizational units; `None` is the root.
    pub(crate) ou: Option<u32>,
    pub(crate) member_role: bool,
    pub(crate) automation_role: bool,
    /// Seconds since 1970.
    pub(crate) joined: u32,
    pub(crate) tags: Vec<(&'static str, String)>,
    /// An index into the spec's accounts when this one is described there.
    pub(crate) described: Option<u32>,
}

impl Account {
    /// The older `Status` field, which knows fewer values.
    pub(crate) fn status(&self) -> &'static str {
        match self.state {
            "ACTIVE" | "PENDING_ACTIVATION" => "ACTIVE",
            "PENDING_CLOSURE" => "PENDING_CLOSURE",
            _ => "SUSPENDED",
        }
    }
}

/// An organizational unit.
#[derive(Debug, Clone)]
pub(crate) struct Ou {
    pub(crate) id: String,
    pub(crate) name: String,
    /// An index; `None` is the root.
    pub(crate) parent: Option<u32>,
}

/// Who is in the organization and where.
#[derive(Debug)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) root: String,
    pub(crate) accounts: Vec<Account>,
    pub(crate) ous: Vec<Ou>,
    by_id: HashMap<String, u32>,
}

impl Organization {
    pub(crate) const MANAGEMENT: usize = 0;
    pub(crate) const SECURITY: usize = 1;

    pub(crate) fn new(id: String, root: String, accounts: Vec<Account>, ous: Vec<Ou>) -> Organization {
        let by_id = accounts.iter().enumerate().map(|(index, account)| (account.id.clone(), index as u32)).collect();
        Organization { id, root, accounts, ous, by_id }
    }

    pub(crate) fn find(&self, account_id: &str) -> Option<usize> {
        self.by_id.get(account_id).map(|index| *index as usize)
    }

    pub(crate) fn find_ou(&self, id: &str) -> Option<u32> {
        self.ous.iter().position(|ou| ou.id == id).map(|index| index as u32)
    }

    /// What a root's, organizational unit's or account's id stands for.
    pub(crate) fn find_target(&self, id: &str) -> Option<Target> {
        match self.find(id) {
            _ if id == self.root => Some(Target::Root),
            Some(account) => Some(Target::Account(account)),
            None => self.find_ou(id).map(Target::Ou),
        }
    }

    /// The id of what a control policy is attached to.
    pub(crate) fn target_id(&self, target: Target) -> &str {
        match target {
            Target::Root => &self.root,
            Target::Ou(ou) => &self.ous[ou as usize].id,
            Target::Account(account) => &self.accounts[account].id,
        }
    }

    /// The root, every organizational unit and every account.
    pub(crate) fn every_target(&self) -> Vec<Target> {
        let ous = (0..self.ous.len()).map(|ou| Target::Ou(ou as u32));
        std::iter::once(Target::Root).chain(ous).chain((0..self.accounts.len()).map(Target::Account)).collect()
    }

    /// `o-…/r-…/ou-…/…/`, the form of `Paths` and `aws:PrincipalOrgPath`.
    pub(crate) fn ou_path(&self, mut ou: Option<u32>) -> String {
        let mut below = Vec::new();
        while let Some(index) = ou {
            below.push(self.ous[index as usize].id.as_str());
            ou = self.ous[index as usize].parent;
        }
        let mut path = format!("{}/{}/", self.id, self.root);
        for id in below.iter().rev() {
            path.push_str(id);
            path.push('/');
        }
        path
    }
}
