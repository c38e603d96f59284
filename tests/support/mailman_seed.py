"""Run under Mailman's own libraries: makes a list, then its members, in Mailman's database. CONF LIST MEMBERS [individual]

The list is made by Mailman; 10,000 members by its own calls would take minutes, so their rows are written as it writes them.
"""

import sqlite3
import sys
import uuid

from mailman.core.initialize import initialize
from mailman.database.transaction import transaction
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.listmanager import IListManager
from mailman.interfaces.mailinglist import DMARCMitigateAction, Personalization
from mailman.interfaces.member import MemberRole
from mailman.interfaces.styles import IStyleManager
from zope.component import getUtility


def make_list(name, individual):
    host = name.split("@")[1]
    with transaction():
        if getUtility(IDomainManager).get(host) is None:
            getUtility(IDomainManager).add(host)
        mlist = getUtility(IListManager).create(name)
        getUtility(IStyleManager).get("private-default").apply(mlist)
        mlist.digests_enabled = False
        mlist.dmarc_mitigate_action = DMARCMitigateAction.no_mitigation
        mlist.personalize = Personalization.individual if individual else Personalization.none
        return mlist.list_id


def add_members(path, list_id, first, count):
    """m<first>@… to m<first + count - 1>@…; an address that is there already becomes a member as it is."""
    db = sqlite3.connect(path)
    with db:
        at = max(db.execute("SELECT coalesce(max(id), 0) FROM preferences").fetchone()[0],
                 db.execute("SELECT coalesce(max(id), 0) FROM address").fetchone()[0]) + 1
        for i in range(first, first + count):
            email = f"m{i}@nhs.example"
            known = db.execute("SELECT id FROM address WHERE email = ?", (email,)).fetchone()
            if known is None:
                db.execute("INSERT INTO preferences(id) VALUES(?)", (2 * at,))
                db.execute("INSERT INTO address(id, email, display_name, verified_on, registered_on, preferences_id) "
                           "VALUES(?, ?, '', '2020-01-01 00:00:00.000000', '2020-01-01 00:00:00.000000', ?)", (at, email, 2 * at))
            db.execute("INSERT INTO preferences(id) VALUES(?)", (2 * at + 1,))
            db.execute("INSERT INTO member(_member_id, role, list_id, address_id, preferences_id, bounce_score, total_warnings_sent) "
                       "VALUES(?, ?, ?, ?, ?, 0, 0)",
                       (uuid.uuid4().hex, MemberRole.member.value, list_id, known[0] if known else at, 2 * at + 1))
            at += 1
    db.close()


def main():
    conf, database, *lists = sys.argv[1:]
    initialize(conf)
    for spec in lists:
        name, members, kind = spec.split(",")
        add_members(database, make_list(name, kind == "individual"), 0, int(members))


main()
