//! A small XML document as a tree: what the bodies of S3's requests are read into.
//! Which elements are legal where is decided by whoever reads them.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// An XML element with its text, its children and the attributes that have a prefix, such as `xsi:type`.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
    /// Local name and value.
    pub(crate) attributes: Vec<(String, String)>,
}

impl Element {
    pub(crate) fn parse(body: &[u8]) -> Option<Element> {
        let text = std::str::from_utf8(body).ok()?;
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Element> = Vec::new();
        let mut root = None;
        let mut close = |done: Element, open: &mut Vec<Element>| match open.last_mut() {
            Some(parent) => {
                parent.children.push(done);
                Some(())
            }
            None if root.is_none() => {
                root = Some(done);
                Some(())
            }
            None => None,
        };
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) => {
                    // Nothing S3 takes is deeper than this; it keeps a hostile body from growing the stack of elements.
                    if open.len() > 12 {
                        return None;
                    }
                    let name = tag.local_name().as_ref().to_string();
                    open.push(Element { name, attributes: attributes(&tag)?, ..Element::default() });
                }
                Event::Empty(tag) => {
                    let name = tag.local_name().as_ref().to_string();
                    close(Element { name, attributes: attributes(&tag)?, ..Element::default() }, &mut open)?;
                }
                Event::End(_) => {
                    let done = open.pop()?;
                    close(done, &mut open)?;
                }
                Event::Text(text) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text);
                    } else if !text.trim().is_empty() {
                        return None;
                    }
                }
                Event::GeneralRef(reference) => {
                    let text = format!("&{};", &*reference);
                    open.last_mut()?.text.push_str(&quick_xml::escape::unescape(&text).ok()?);
                }
                Event::Eof => break,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::CData(_) | Event::DocType(_) => return None,
            }
        }
        if open.is_empty() { root } else { None }
    }
}

fn attributes(tag: &BytesStart<'_>) -> Option<Vec<(String, String)>> {
    tag.attributes()
        .map(|attribute| {
            let attribute = attribute.ok()?;
            let name = attribute.key.local_name().as_ref().to_string();
            Some((name, quick_xml::escape::unescape(&attribute.value).ok()?.into_owned()))
        })
        .collect()
}
