//! The module graph of one target, its strongly connected components, and the edges to cut.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};

use petgraph::algo::{greedy_feedback_arc_set, tarjan_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

/// Where a module mentions another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mention {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) path: String,
}

#[derive(Debug)]
pub(crate) struct ModuleGraph {
    names: Vec<String>,
    edges: BTreeMap<(usize, usize), BTreeSet<Mention>>,
}

/// Modules that all reach each other, with the edges among them.
#[derive(Debug)]
pub(crate) struct Cycle<'a> {
    pub(crate) modules: Vec<&'a str>,
    edges: Vec<Edge<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct Edge<'a> {
    ends: (usize, usize),
    from: &'a str,
    to: &'a str,
    mentions: &'a BTreeSet<Mention>,
}

impl ModuleGraph {
    pub(crate) fn new(names: Vec<String>) -> Self {
        Self { names, edges: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, from: usize, to: usize, mention: Mention) {
        self.edges.entry((from, to)).or_default().insert(mention);
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Each top-level module together with everything inside it; the crate's root is left out.
    pub(crate) fn top_level(&self) -> Self {
        let tops: Vec<&str> = self.names.iter().map(|name| name.split("::").next().unwrap_or(name)).collect();
        let names: BTreeSet<&str> = tops.iter().copied().filter(|name| *name != "crate").collect();
        let names: Vec<&str> = names.into_iter().collect();
        let mut graph = Self::new(names.iter().map(|&name| name.to_owned()).collect());
        for ((from, to), mentions) in &self.edges {
            let ends = (names.binary_search(&tops[*from]), names.binary_search(&tops[*to]));
            if let (Ok(from), Ok(to)) = ends
                && from != to
            {
                graph.edges.entry((from, to)).or_default().extend(mentions.iter().cloned());
            }
        }
        graph
    }

    /// The largest first.
    pub(crate) fn cycles(&self) -> Vec<Cycle<'_>> {
        let graph = directed(self.names.len(), self.edges.keys().copied());
        let components = tarjan_scc(&graph).into_iter().filter(|component| component.len() > 1);
        let mut cycles: Vec<_> = components.map(|component| self.cycle(&component)).collect();
        cycles.sort_by_key(|cycle| std::cmp::Reverse(cycle.modules.len()));
        cycles
    }

    fn cycle(&self, component: &[NodeIndex]) -> Cycle<'_> {
        let members: BTreeSet<usize> = component.iter().map(|node| node.index()).collect();
        let inner =
            self.edges.iter().filter(|((from, to), _)| members.contains(from) && members.contains(to));
        let edges = inner.map(|(&ends, mentions)| Edge {
            ends,
            from: &self.names[ends.0],
            to: &self.names[ends.1],
            mentions,
        });
        let mut modules: Vec<&str> = members.iter().map(|&node| self.names[node].as_str()).collect();
        modules.sort_unstable();
        Cycle { modules, edges: edges.collect() }
    }
}

fn directed(nodes: usize, edges: impl Iterator<Item = (usize, usize)>) -> DiGraph<(), ()> {
    let mut graph = DiGraph::new();
    for _ in 0..nodes {
        graph.add_node(());
    }
    for (from, to) in edges {
        graph.add_edge(NodeIndex::new(from), NodeIndex::new(to), ());
    }
    graph
}

impl<'a> Cycle<'a> {
    /// A small set of edges without which there is no cycle (not always the smallest): those that lead upwards when
    /// the modules are put in the order that makes the fewest mentions lead upwards.
    fn cuts(&self) -> Vec<Edge<'a>> {
        let mut order = self.first_order();
        while self.improve(&mut order) {}
        self.edges.iter().filter(|edge| leads_upwards(edge, &order)).copied().collect()
    }

    /// From the highest module to the lowest, as a greedy cut leaves them.
    fn first_order(&self) -> Vec<usize> {
        let nodes = self.edges.iter().map(|edge| edge.ends.0 + 1).max().unwrap_or(0);
        let graph = directed(nodes, self.edges.iter().map(|edge| edge.ends));
        let cut: BTreeSet<_> = greedy_feedback_arc_set(&graph).map(|edge| edge.id()).collect();
        let kept = graph.filter_map(|_, ()| Some(()), |edge, ()| (!cut.contains(&edge)).then_some(()));
        let order = toposort(&kept, None).expect("nothing is left of a cycle whose feedback arcs are cut");
        let members: BTreeSet<usize> = self.edges.iter().map(|edge| edge.ends.0).collect();
        order.into_iter().map(NodeIndex::index).filter(|node| members.contains(node)).collect()
    }

    /// Moves one module to where it serves best; false if none can be moved to advantage.
    fn improve(&self, order: &mut Vec<usize>) -> bool {
        let cost = |order: &[usize]| -> usize {
            let upwards = self.edges.iter().filter(|edge| leads_upwards(edge, order));
            upwards.map(|edge| edge.mentions.len()).sum()
        };
        let now = cost(order);
        for from in 0..order.len() {
            for to in 0..order.len() {
                let mut moved = order.clone();
                let module = moved.remove(from);
                moved.insert(to, module);
                if cost(&moved) < now {
                    *order = moved;
                    return true;
                }
            }
        }
        false
    }

    /// What to do about it: the edges to cut, with every mention.
    pub(crate) fn plan(&self) -> String {
        let cuts = self.cuts();
        let mut text =
            format!("  without these {} of its {} edges there is no cycle:\n", cuts.len(), self.edges.len());
        for edge in cuts {
            text += &format!("    {} -> {}\n", edge.from, edge.to);
            for mention in edge.mentions {
                text += &format!("      {mention}\n");
            }
        }
        text
    }
}

fn leads_upwards(edge: &Edge<'_>, order: &[usize]) -> bool {
    let place = |node: usize| order.iter().position(|other| *other == node);
    place(edge.ends.0) > place(edge.ends.1)
}

impl Display for Cycle<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.modules.join(", "))?;
        for edge in &self.edges {
            let Some(example) = edge.mentions.first() else { continue };
            write!(f, "    {} -> {}   {example}", edge.from, edge.to)?;
            match edge.mentions.len() - 1 {
                0 => writeln!(f)?,
                more => writeln!(f, " (and {more} more)")?,
            }
        }
        Ok(())
    }
}

impl Display for Mention {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.path)
    }
}
