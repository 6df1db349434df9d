//! The contract, compiled for the decoder: which key of which object goes to which column.

use std::collections::HashMap;

use super::{
    contract::{Column, Kind},
    json::Pattern,
};

/// Where the value under a key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Into a column.
    Column(u16),
    /// Into an object whose own keys have targets.
    Node(u16),
}

/// A key the contract knows in one object.
#[derive(Debug)]
pub(super) struct Key {
    /// The key as it stands in compact JSON: `"id":`.
    pub pattern: Pattern,
    /// The key itself.
    pub name: &'static str,
    /// Where its value goes.
    pub target: Target,
}

/// An object level of the wire row.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Path from the top with dots, empty at the top.
    pub path: String,
    /// Its known keys.
    pub keys: Vec<Key>,
    /// Key text to its place in `keys`.
    pub lookup: HashMap<&'static [u8], u16>,
    /// Every column at or below it.
    pub columns: Vec<u16>,
    /// Every node below it.
    pub nodes: Vec<u16>,
    /// The column of its `id`: where a bare id in place of the object goes.
    pub id_column: Option<u16>,
    /// Whether the members that no column takes go to the plan's rest column.
    pub keeps_rest: bool,
}

/// A compiled contract.
#[derive(Debug)]
pub(super) struct Plan {
    /// The contract's columns.
    pub columns: &'static [Column],
    /// Object levels; the first is the row.
    pub nodes: Vec<Node>,
    /// Columns a row must have.
    pub required: Vec<u16>,
    /// Column of what other columns of its object leave over.
    pub rest: Option<u16>,
    /// Column of the row's type, where the members of the object with a rest column depend on it.
    pub kind_of_row: Option<u16>,
    /// `os` and `os_version`.
    pub os: Option<(u16, u16)>,
    /// `income`, `payouts` and `earnings`.
    pub money: Option<(u16, u16, u16)>,
    /// The column whose day is the partition.
    pub day: Option<u16>,
    /// A value that does not fit becomes null and is kept in `_extra`, instead of putting the row aside.
    pub lenient: bool,
    /// Numbers come as text by the source's rule: that is no drift.
    pub text_numbers: bool,
}

impl Plan {
    /// Compiles `columns`. `day` names the partition's time stamp.
    pub fn new(columns: &'static [Column], day: Option<&str>, lenient: bool) -> Self {
        let place = |name: &str| {
            columns
                .iter()
                .position(|column| column.name == name)
                .map(|at| at as u16)
        };
        let mut nodes = vec![Node::default()];
        for (at, column) in columns.iter().enumerate() {
            add(&mut nodes, at as u16, column);
        }
        let os = place("os")
            .zip(place("os_version"))
            .filter(|&(os, _)| columns[os as usize].kind == Kind::TextOrNull);
        let money = place("income").zip(place("payouts")).zip(place("earnings"));
        Self {
            columns,
            nodes,
            required: (0..columns.len() as u16)
                .filter(|&at| columns[at as usize].required)
                .collect(),
            rest: columns
                .iter()
                .position(|column| column.kind == Kind::Rest)
                .map(|at| at as u16),
            kind_of_row: place("activity_type_id"),
            os,
            money: money.map(|((income, payouts), earnings)| (income, payouts, earnings)),
            day: day.and_then(place),
            lenient,
            text_numbers: false,
        }
    }

    /// The same plan for a source that writes every number as text.
    pub fn with_text_numbers(mut self, text_numbers: bool) -> Self {
        self.text_numbers = text_numbers;
        self
    }
}

fn add(nodes: &mut Vec<Node>, column_at: u16, column: &Column) {
    let mut above = vec![0usize];
    let is_rest = column.kind == Kind::Rest;
    let Some((last, levels)) = column.path.split_last() else {
        return;
    };
    // What is left over belongs to the object itself, not to a member of it.
    let levels = if is_rest { column.path } else { levels };
    for (depth, &level) in levels.iter().enumerate() {
        let parent = above[depth];
        let child = match nodes[parent]
            .lookup
            .get(level.as_bytes())
            .map(|&key| nodes[parent].keys[key as usize].target)
        {
            Some(Target::Node(child)) => child as usize,
            _ => {
                let child = nodes.len();
                let path = column.path[..=depth].join(".");
                nodes.push(Node {
                    path,
                    ..Node::default()
                });
                insert(&mut nodes[parent], level, Target::Node(child as u16));
                for &ancestor in &above {
                    nodes[ancestor].nodes.push(child as u16);
                }
                child
            }
        };
        above.push(child);
    }
    for &node in &above {
        nodes[node].columns.push(column_at);
    }
    let owner = &mut nodes[above[levels.len()]];
    if is_rest {
        owner.keeps_rest = true;
        return;
    }
    insert(owner, last, Target::Column(column_at));
    if *last == "id" {
        owner.id_column = Some(column_at);
    }
}

fn insert(node: &mut Node, key: &'static str, target: Target) {
    node.lookup.insert(key.as_bytes(), node.keys.len() as u16);
    node.keys.push(Key {
        pattern: Pattern::new(format!("\"{key}\":").as_bytes()),
        name: key,
        target,
    });
}
