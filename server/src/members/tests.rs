//! What the store of members promises, on a real database.

use std::path::PathBuf;

use bmt_shared::permission::Membership;
use tempfile::TempDir;

use super::*;

const TEAM: &str = "private:team";
const NOW_MS: u64 = 1_700_000_000_000;

struct Subject {
    members: Members,
    folder: TempDir,
}

impl Subject {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let members = Members::open(&path(&folder)).unwrap();
        Self { members, folder }
    }

    /// The same database, opened anew.
    fn reopened(self) -> Self {
        let Self { members, folder } = self;
        drop(members);
        let members = Members::open(&path(&folder)).unwrap();
        Self { members, folder }
    }

    async fn create(&self, key: &str, by: &str) -> Result<bool, MembersError> {
        let made = self
            .members
            .create(key, None, Vec::new(), &user(by), NOW_MS)
            .await;
        made.map(|(_, is_new)| is_new)
    }

    async fn put(&self, id: &str, role: MemberRole, by: &Actor) -> Result<Member, MembersError> {
        self.members
            .put(TEAM, &UserId::new(id), role, by, NOW_MS + 1)
            .await
    }

    async fn remove(&self, id: &str, by: &Actor) -> Result<(), MembersError> {
        self.members.remove(TEAM, &UserId::new(id), by).await
    }

    fn of(&self, key: &str, id: &str) -> Membership {
        self.members.memberships().of(key, &UserId::new(id))
    }
}

fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("members.db")
}

fn user(id: &str) -> Actor {
    Actor {
        user_id: UserId::new(id),
        is_admin: false,
    }
}

fn admin() -> Actor {
    Actor {
        is_admin: true,
        ..user("root")
    }
}

fn denied<T>(result: &Result<T, MembersError>) -> bool {
    matches!(result, Err(MembersError::Denied))
}

#[tokio::test]
async fn who_makes_a_list_owns_it_and_nobody_else_makes_it_again() {
    let subject = Subject::new();
    assert_eq!(subject.of(TEAM, "ann"), Membership::Unlisted);
    let readers = vec![(UserId::new("bob"), MemberRole::Reader)];
    let title = Some("The team".to_owned());
    let (list, is_new) = subject
        .members
        .create(TEAM, title, readers, &user("ann"), NOW_MS)
        .await
        .unwrap();
    assert!(is_new);
    assert_eq!((list.title.as_deref(), list.members.len()), (Some("The team"), 2));
    assert!(
        !subject.create(TEAM, "ann").await.unwrap(),
        "asking twice is no fault"
    );
    assert!(denied(&subject.create(TEAM, "bob").await));
    assert!(denied(&subject.create(TEAM, "eve").await));
    let subject = subject.reopened();
    assert_eq!(subject.of(TEAM, "ann"), Membership::Owner);
    assert_eq!(subject.of(TEAM, "bob"), Membership::Reader);
    assert_eq!(subject.of(TEAM, "eve"), Membership::Outside);
    let again = subject.members.get(TEAM, &user("bob")).unwrap();
    assert_eq!(again, list, "all of it was kept");
}

#[tokio::test]
async fn owners_and_administrators_change_a_list_and_nobody_else() {
    let subject = Subject::new();
    subject.create(TEAM, "ann").await.unwrap();
    subject
        .put("bob", MemberRole::Writer, &user("ann"))
        .await
        .unwrap();
    assert!(denied(
        &subject.put("eve", MemberRole::Reader, &user("bob")).await
    ));
    assert!(denied(&subject.put("eve", MemberRole::Owner, &user("eve")).await));
    assert!(denied(&subject.remove("ann", &user("bob")).await));
    assert!(denied(&subject.members.delete(TEAM, &user("bob")).await));
    subject.put("cat", MemberRole::Reader, &admin()).await.unwrap();
    let member = subject.put("bob", MemberRole::Owner, &user("ann")).await.unwrap();
    assert_eq!((member.role, member.since_ms), (MemberRole::Owner, NOW_MS + 1));
    subject.remove("cat", &user("cat")).await.unwrap();
    subject.remove("ann", &user("bob")).await.unwrap();
    assert!(matches!(
        subject.remove("bob", &user("bob")).await,
        Err(MembersError::LastOwner)
    ));
    let demoted = subject.put("bob", MemberRole::Reader, &admin()).await;
    assert!(matches!(demoted, Err(MembersError::LastOwner)));
    let subject = subject.reopened();
    let list = subject.members.get(TEAM, &user("bob")).unwrap();
    assert_eq!(
        list.members.keys().map(UserId::as_str).collect::<Vec<_>>(),
        ["bob"]
    );
}

#[tokio::test]
async fn who_may_not_read_a_list_does_not_learn_of_it() {
    let subject = Subject::new();
    subject.create(TEAM, "ann").await.unwrap();
    for key in [TEAM, "private:never-made"] {
        let by = user("eve");
        let eve = &by.user_id;
        assert!(denied(&subject.members.get(key, &by)), "{key}");
        assert!(
            denied(
                &subject
                    .members
                    .put(key, eve, MemberRole::Owner, &by, NOW_MS)
                    .await
            ),
            "{key}"
        );
        assert!(denied(&subject.members.remove(key, eve, &by).await), "{key}");
        assert!(denied(&subject.members.delete(key, &by).await), "{key}");
    }
    assert!(subject.members.get(TEAM, &admin()).is_ok());
    let absent = subject.members.get("private:never-made", &admin());
    assert!(matches!(absent, Err(MembersError::NoList)));
}

#[tokio::test]
async fn a_deleted_list_stays_closed_until_who_deleted_it_fills_it_again() {
    let subject = Subject::new();
    let document = "document:d";
    subject.create(document, "ann").await.unwrap();
    subject.members.delete(document, &user("ann")).await.unwrap();
    let subject = subject.reopened();
    assert_eq!(
        subject.of(document, "ann"),
        Membership::Outside,
        "it does not become open"
    );
    assert!(denied(&subject.members.get(document, &user("ann"))));
    assert!(subject.members.of_user(&UserId::new("ann")).is_empty());
    assert!(denied(&subject.create(document, "eve").await));
    assert!(subject.create(document, "ann").await.unwrap());
    assert_eq!(subject.of(document, "ann"), Membership::Owner);
}

#[tokio::test]
async fn a_direct_conversation_has_no_owner_and_does_not_change() {
    let subject = Subject::new();
    let key = "private:dm_a_b_c";
    let other = vec![(UserId::new("b_c"), MemberRole::Owner)];
    let made = subject
        .members
        .create(key, None, other, &user("a"), NOW_MS)
        .await
        .unwrap();
    assert!(made.1);
    assert!(
        !subject.create(key, "b_c").await.unwrap(),
        "the other one opens the same"
    );
    assert!(denied(&subject.create(key, "c").await));
    for by in [user("a"), admin()] {
        let put = subject
            .members
            .put(key, &UserId::new("c"), MemberRole::Reader, &by, NOW_MS)
            .await;
        assert!(matches!(put, Err(MembersError::Direct)));
        assert!(matches!(
            subject.members.delete(key, &by).await,
            Err(MembersError::Direct)
        ));
    }
    assert_eq!(subject.of(key, "b_c"), Membership::Writer);
}

#[tokio::test]
async fn an_erased_user_stands_in_no_list_and_its_lists_stay_closed() {
    let subject = Subject::new();
    let ann = UserId::new("ann");
    for key in [TEAM, "document:d", "document:gone"] {
        subject.create(key, "ann").await.unwrap();
    }
    subject
        .members
        .delete("document:gone", &user("ann"))
        .await
        .unwrap();
    subject
        .put("bob", MemberRole::Reader, &user("ann"))
        .await
        .unwrap();
    subject.members.forget(&ann).await.unwrap();
    let subject = subject.reopened();
    assert!(subject.members.of_user(&ann).is_empty());
    assert_eq!(subject.of("document:d", "ann"), Membership::Outside);
    assert_eq!(subject.of("document:gone", "eve"), Membership::Outside);
    assert_eq!(subject.of(TEAM, "bob"), Membership::Reader);
}

#[tokio::test]
async fn the_limits_hold_and_what_is_over_them_changes_nothing() {
    let subject = Subject::new();
    let crowd = |count: usize| -> Vec<_> {
        let id = |number| (UserId::new(&format!("m{number}")), MemberRole::Reader);
        (0..count).map(id).collect()
    };
    let by = user("ann");
    let many = subject
        .members
        .create(TEAM, None, crowd(MEMBERS_PER_LIST), &by, NOW_MS)
        .await;
    assert!(matches!(
        many,
        Err(MembersError::Full("members in a list", MEMBERS_PER_LIST))
    ));
    assert_eq!(subject.of(TEAM, "ann"), Membership::Unlisted);
    let most = subject
        .members
        .create(TEAM, None, crowd(MEMBERS_PER_LIST - 1), &by, NOW_MS)
        .await;
    assert!(most.is_ok());
    assert!(matches!(
        subject.put("one-more", MemberRole::Reader, &by).await,
        Err(MembersError::Full(..))
    ));
    assert!(
        subject.put("m1", MemberRole::Writer, &by).await.is_ok(),
        "a change is not one more"
    );
}

#[tokio::test]
async fn every_change_is_told_once_it_holds() {
    let subject = Subject::new();
    let mut changes = subject.members.changes();
    subject.create(TEAM, "ann").await.unwrap();
    assert_eq!(
        changes.try_recv().unwrap(),
        Change {
            key: TEAM.into(),
            user: None
        }
    );
    subject
        .put("bob", MemberRole::Reader, &user("ann"))
        .await
        .unwrap();
    subject
        .put("bob", MemberRole::Reader, &user("ann"))
        .await
        .unwrap();
    let bob = Some(UserId::new("bob"));
    assert_eq!(
        changes.try_recv().unwrap(),
        Change {
            key: TEAM.into(),
            user: bob
        }
    );
    assert!(changes.try_recv().is_err(), "what changes nothing is not told");
}

#[test]
fn a_database_of_a_newer_server_or_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(&folder);
    drop(Members::open(&file).unwrap());
    let set = |name: &str, value: i64| {
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection.pragma_update(None, name, value).unwrap();
    };
    let refused = || Members::open(&file).err().expect("it is refused").to_string();
    set("user_version", 99);
    assert!(refused().contains("version 99"), "{}", refused());
    set("application_id", 7);
    assert!(refused().contains("another program"), "{}", refused());
}
