"""Parts the tests are built from: real nodes, a fault-injecting proxy, hostile servers, hand-assembled contracts."""
