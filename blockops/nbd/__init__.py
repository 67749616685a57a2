"""Devices for real guests: the Network Block Device protocol (NBD), fixed newstyle, as a server.

    server ─▶ negotiation ─▶ transmission ─▶ traffic ─▶ devices
                    └──────────┴─▶ protocol (bytes and numbers, no input or output)
                                        └─▶ exports (what a client is told of a device)

Numbers, names and rules are those of the protocol's document, doc/proto.md of NetworkBlockDevice/nbd, called
"NBD" in docstrings here.
"""
