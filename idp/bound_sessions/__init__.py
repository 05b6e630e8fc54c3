"""Sessions that are bound to a key of the browser (Device Bound Session Credentials, W3C draft of
17 February 2026): how a key is registered and proved, and what follows when a cookie was copied.

The key belongs to the browser. Its sessions and its recognition at sign-in are bound to it
(``idp.session.device_bindings``). This package never starts a session.
"""

__all__ = ["binding_proofs", "copied_sessions", "refresh", "registration"]
