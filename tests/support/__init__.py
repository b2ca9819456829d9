"""What tests of several rings share: servers, stand-ins, measures."""
