//! What may stand below what, and what may wait for what (D3).

use std::collections::{BTreeMap, BTreeSet};

use crate::{id::IssueId, limits};

/// Why a relation is refused; nothing is changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeRefused {
    /// The tree would be too deep.
    #[error("issues nest at most {} deep below a root", limits::ISSUE_DEPTH)]
    TooDeep,
    /// The parent has as many children as it may have.
    #[error("an issue has at most {} children", limits::ISSUE_CHILDREN)]
    TooMany,
    /// It would stand below itself, or wait for itself.
    #[error("an issue may stand neither below nor behind itself")]
    Cycle,
}

/// The surroundings of an issue that gets a parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family<'a> {
    /// The issue.
    pub child: IssueId,
    /// Its parent to be, that one's parent, and so on up to the root.
    pub line: &'a [IssueId],
    /// How many generations stand below the issue.
    pub height: u32,
    /// Children that the parent has, without this one.
    pub siblings: u32,
}

/// Whether the issue may have this parent. A moved subtree is looked at as a whole.
///
/// # Errors
/// What is in the way.
pub fn adopt(family: &Family<'_>) -> Result<(), TreeRefused> {
    if family.line.contains(&family.child) {
        return Err(TreeRefused::Cycle);
    }
    // A root stands at depth 0, so its child at as many as there are above it.
    let depth = u32::try_from(family.line.len()).unwrap_or(u32::MAX);
    if depth.saturating_add(family.height) > limits::ISSUE_DEPTH {
        return Err(TreeRefused::TooDeep);
    }
    if family.siblings >= limits::ISSUE_CHILDREN {
        return Err(TreeRefused::TooMany);
    }
    Ok(())
}

/// Whether an issue may wait for these, given who waits for whom in its project: pairs of a waiting issue
/// and what it waits for. What the issue waits for now does not count: it is replaced.
///
/// # Errors
/// [`TreeRefused::Cycle`].
pub fn wait(issue: IssueId, waits_for: &[IssueId], known: &[(IssueId, IssueId)]) -> Result<(), TreeRefused> {
    let mut behind: BTreeMap<IssueId, Vec<IssueId>> = BTreeMap::new();
    for (waiting, blocker) in known.iter().filter(|(waiting, _)| *waiting != issue) {
        behind.entry(*waiting).or_default().push(*blocker);
    }
    let mut seen = BTreeSet::new();
    let mut next = waits_for.to_vec();
    while let Some(at) = next.pop() {
        if at == issue {
            return Err(TreeRefused::Cycle);
        }
        if seen.insert(at) {
            next.extend(behind.get(&at).into_iter().flatten());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn id(number: u128) -> IssueId {
        IssueId::from_uuid(Uuid::from_u128(number))
    }

    // D3
    #[test]
    fn a_tree_has_three_levels_and_no_rings() {
        let adopted = |line: &[u128], height, siblings| {
            let line: Vec<_> = line.iter().map(|number| id(*number)).collect();
            adopt(&Family { child: id(9), line: &line, height, siblings })
        };
        assert_eq!(adopted(&[1], 0, 0), Ok(()));
        assert_eq!(adopted(&[2, 1], 0, 31), Ok(()));
        assert_eq!(adopted(&[1], 1, 0), Ok(()));
        assert_eq!(adopted(&[3, 2, 1], 0, 0), Err(TreeRefused::TooDeep));
        assert_eq!(adopted(&[2, 1], 1, 0), Err(TreeRefused::TooDeep), "a moved subtree counts as a whole");
        assert_eq!(adopted(&[1], 2, 0), Err(TreeRefused::TooDeep));
        assert_eq!(adopted(&[1], 0, 32), Err(TreeRefused::TooMany));
        assert_eq!(adopted(&[9], 0, 0), Err(TreeRefused::Cycle));
        assert_eq!(adopted(&[2, 9], 1, 0), Err(TreeRefused::Cycle));
    }

    // D3
    #[test]
    fn nothing_waits_for_itself() {
        let known = [(id(1), id(2)), (id(2), id(3)), (id(4), id(1))];
        assert_eq!(wait(id(3), &[id(4)], &known), Err(TreeRefused::Cycle));
        assert_eq!(wait(id(3), &[id(3)], &known), Err(TreeRefused::Cycle));
        assert_eq!(wait(id(4), &[id(2), id(3)], &known), Ok(()));
        assert_eq!(wait(id(1), &[id(5)], &known), Ok(()));
        // What is replaced does not count: 1 no longer waits for 2, so 2 may wait for 1 then.
        assert_eq!(wait(id(2), &[id(1)], &known), Err(TreeRefused::Cycle));
        assert_eq!(wait(id(1), &[id(3)], &known[..1]), Ok(()));
    }

    proptest! {
        /// Whatever is accepted one after the other, everything can still be done in some order.
        #[test]
        fn what_waits_can_always_be_done(asked in prop::collection::vec((0u128..8, 0u128..8), 0..60)) {
            let mut known: Vec<(IssueId, IssueId)> = Vec::new();
            for (waiting, blocker) in asked {
                let mut all: Vec<_> =
                    known.iter().filter(|(one, _)| *one == id(waiting)).map(|(_, other)| *other).collect();
                all.push(id(blocker));
                if wait(id(waiting), &all, &known).is_ok() {
                    known.push((id(waiting), id(blocker)));
                }
            }
            let mut left: BTreeSet<_> = (0..8).map(id).collect();
            while let Some(free) =
                left.iter().copied().find(|one| !known.iter().any(|(waiting, on)| waiting == one && left.contains(on)))
            {
                left.remove(&free);
            }
            prop_assert!(left.is_empty(), "{left:?} wait in a ring: {known:?}");
        }
    }
}
