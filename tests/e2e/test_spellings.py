"""Every spelling of a list's address that Postfix resolves is the list."""

from support import mails

from .base import LIST, Case

LOCAL = LIST.split("@")[0]
SPELLINGS = (LIST, LIST.upper(), LOCAL, f"{LOCAL}%nhs.example", f"nhs.example!{LOCAL}", f"{LOCAL}(x)@nhs.example",
             f"{LOCAL} @nhs.example", f"\"{LOCAL}\"@nhs.example", f"@nhs.example:{LIST}", f"{LOCAL}+detail@nhs.example",
             f"{LOCAL}@localhost", f"{LOCAL}@[127.0.0.1]")


class Spellings(Case):
    def test_none_of_them_passes_the_gate(self):
        self.started(main_cf={"recipient_delimiter": "+", "myorigin": "nhs.example", "allow_percent_hack": "yes",
                              "swap_bangpath": "yes", "allow_untrusted_routing": "yes", "resolve_dequoted_address": "yes",
                              "strict_rfc821_envelopes": "no"})
        passed = []
        for i, spelling in enumerate(SPELLINGS):
            who = f"u{i}@nhs.example"
            answer = self.send(who, spelling, mails.post(who, LIST))
            if answer.code == 250 and answer.queue_id not in self.mta.held():
                passed.append(spelling)
        self.assertEqual([], passed)
        self.assertGreaterEqual(len(self.mta.held()), 6)
