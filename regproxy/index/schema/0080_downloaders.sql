-- Who downloaded a node last; '' for nobody by name.
ALTER TABLE nodes ADD COLUMN last_downloaded_by TEXT NOT NULL DEFAULT '';
