"""The outside world: feeds, web, command line, configuration. Everything that can block, fail, lie or be attacked."""
