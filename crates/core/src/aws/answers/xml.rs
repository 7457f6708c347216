//! Whether an XML document is complete. It is read with the SDK's own tokenizer, so that both see the same document.

use std::collections::BTreeSet;

use xmlparser::{ElementEnd, Token, Tokenizer};

use super::Unusable;
use super::elements::{Element, Found};

/// No modelled answer nests as deep as this.
const DEEPEST: usize = 64;

/// What a complete document shows at first sight.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document<'a> {
    pub(super) root: &'a str,
    /// The names of the elements one and two levels below the root.
    pub(super) members: BTreeSet<&'a str>,
}

/// An element that has begun and not ended.
struct Open<'a> {
    prefix: &'a str,
    name: &'a str,
    /// The rule for it, with the members that were found.
    rule: Option<(&'static Element, Vec<Found<'a>>)>,
    /// Whether it holds text or elements.
    filled: bool,
}

/// Reads a document to the end of its root element. The tokenizer itself refuses what comes outside of it.
pub(super) fn complete<'a>(body: &'a [u8], rules: &'static [Element]) -> Result<Document<'a>, Unusable> {
    let text = std::str::from_utf8(body).map_err(|error| Unusable::Malformed(error.to_string()))?;
    let (mut root, mut members, mut open) = (None, BTreeSet::new(), Vec::<Open<'a>>::new());
    for token in Tokenizer::from(text) {
        match token.map_err(|error| Unusable::Malformed(error.to_string()))? {
            Token::ElementStart { prefix, local, .. } => {
                let name = local.as_str();
                match open.len() {
                    0 => root = Some(name),
                    1 | 2 => drop(members.insert(name)),
                    DEEPEST => return Err(malformed("its elements nest too deep")),
                    _ => {}
                }
                let rule = open.last().and_then(|parent| rules.iter().find(|rule| rule.is_of(parent.name, name)));
                if let Some(parent) = open.last_mut() {
                    parent.filled = true;
                }
                let rule = rule.map(|rule| (rule, Vec::new()));
                open.push(Open { prefix: prefix.as_str(), name, rule, filled: false });
            }
            Token::Text { text } => fill(&mut open, text.as_str()),
            Token::Cdata { text, .. } => fill(&mut open, text.as_str()),
            Token::ElementEnd { end: ElementEnd::Open, .. } => {}
            Token::ElementEnd { end: ElementEnd::Empty, .. } => close(&mut open)?,
            Token::ElementEnd { end: ElementEnd::Close(prefix, local), .. } => {
                if open.last().map(|begun| (begun.prefix, begun.name)) != Some((prefix.as_str(), local.as_str())) {
                    return Err(malformed("an element ends that did not begin"));
                }
                close(&mut open)?;
            }
            _ => {}
        }
    }
    match (root, open.last()) {
        (_, Some(begun)) => Err(Unusable::CutOff(format!("element <{}> does not end", begun.name))),
        (Some(root), None) => Ok(Document { root, members }),
        (None, None) => Err(Unusable::CutOff("it has no root element".to_owned())),
    }
}

fn fill(open: &mut [Open<'_>], text: &str) {
    if let Some(within) = open.last_mut().filter(|_| !text.trim().is_empty()) {
        within.filled = true;
    }
}

/// Ends the innermost element: it must have its members, and is one of the element around it.
fn close(open: &mut Vec<Open<'_>>) -> Result<(), Unusable> {
    let Some(ended) = open.pop() else { return Ok(()) };
    if let Some((rule, found)) = ended.rule {
        rule.check(ended.filled, &found)?;
    }
    if let Some((_, found)) = open.last_mut().and_then(|parent| parent.rule.as_mut()) {
        found.push(Found { name: ended.name, filled: ended.filled });
    }
    Ok(())
}

fn malformed(why: &str) -> Unusable {
    Unusable::Malformed(why.to_owned())
}
