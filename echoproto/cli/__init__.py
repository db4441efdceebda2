"""The commands of ``echoproto``: their options, progress and exit statuses."""
