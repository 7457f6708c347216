//! Whether an XML document is complete. It is read with the SDK's own tokenizer, so that both see the same document.

use std::collections::BTreeSet;

use xmlparser::{ElementEnd, Token, Tokenizer};

use super::Unusable;

/// No modelled answer nests as deep as this.
const DEEPEST: usize = 64;

/// What a complete document shows at first sight.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document<'a> {
    pub(super) root: &'a str,
    /// The names of the elements one and two levels below the root.
    pub(super) members: BTreeSet<&'a str>,
}

/// Reads a document to the end of its root element. The tokenizer itself refuses what comes outside of it.
pub(super) fn complete(body: &[u8]) -> Result<Document<'_>, Unusable> {
    let text = std::str::from_utf8(body).map_err(|error| Unusable::Malformed(error.to_string()))?;
    let (mut root, mut members, mut open) = (None, BTreeSet::new(), Vec::<(&str, &str)>::new());
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
                open.push((prefix.as_str(), name));
            }
            Token::ElementEnd { end: ElementEnd::Open, .. } => {}
            Token::ElementEnd { end: ElementEnd::Empty, .. } => drop(open.pop()),
            Token::ElementEnd { end: ElementEnd::Close(prefix, local), .. } => {
                let begun = open.pop();
                if begun != Some((prefix.as_str(), local.as_str())) {
                    return Err(malformed("an element ends that did not begin"));
                }
            }
            _ => {}
        }
    }
    match (root, open.last()) {
        (_, Some((_, name))) => Err(Unusable::CutOff(format!("element <{name}> does not end"))),
        (Some(root), None) => Ok(Document { root, members }),
        (None, None) => Err(Unusable::CutOff("it has no root element".to_owned())),
    }
}

fn malformed(why: &str) -> Unusable {
    Unusable::Malformed(why.to_owned())
}
