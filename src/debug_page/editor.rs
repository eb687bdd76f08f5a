//! Links that open a place of the code in an editor.

use std::borrow::Cow;

use super::source::CodeLocation;

/// Template of the links, with `{file}`, `{line}` and `{column}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Editor(Cow<'static, str>);

/// Environment variable with the template of the person who runs the program.
const VARIABLE: &str = "DEBUG_PAGE_EDITOR";

const VS_CODE: &str = "vscode://file{file}:{line}:{column}";

impl Editor {
    /// Returns the editor that the environment names, or VS Code.
    pub(super) fn from_env() -> Self {
        Self(std::env::var(VARIABLE).map_or(Cow::Borrowed(VS_CODE), Cow::Owned))
    }

    pub(super) fn new(template: Cow<'static, str>) -> Self {
        Self(template)
    }

    /// Returns the link to a place, if its file is on this machine.
    pub(super) fn link(&self, location: &CodeLocation) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let file = location.path.as_ref()?.to_str()?.replace('\\', "/");
        // The path of Windows begins with a drive.
        let slash = if file.starts_with('/') { "" } else { "/" };
        let link = self.0.replace("{line}", &location.line.to_string());
        let link = link.replace("{column}", &location.column.max(1).to_string());
        Some(link.replace("{file}", &format!("{slash}{}", encoded(&file))))
    }
}

/// Encodes what may not stand in the path of a URI (RFC 3986, section 3.3).
fn encoded(path: &str) -> String {
    let mut encoded = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' | b':' => {
                encoded.push(byte.into());
            }
            byte => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_the_place() {
        let mut location = CodeLocation::new("src/a.rs", 3, 0);
        location.path = Some("/home/me/my shop/src/a.rs".into());
        let link = |template: &'static str| Editor::new(template.into()).link(&location);
        assert_eq!(
            link(VS_CODE).unwrap(),
            "vscode://file/home/me/my%20shop/src/a.rs:3:1"
        );
        let zed = link("zed://file{file}:{line}").unwrap();
        assert_eq!(zed, "zed://file/home/me/my%20shop/src/a.rs:3");
        assert_eq!(link(""), None);
        location.path = None;
        assert_eq!(Editor::new(VS_CODE.into()).link(&location), None);
    }
}
