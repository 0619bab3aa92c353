-- Deposits that are there only for others to be made of them: they have a sum of their own.
ALTER TABLE deposits ADD COLUMN transient INTEGER NOT NULL DEFAULT 0;
ALTER TABLE occupied ADD COLUMN transient INTEGER NOT NULL DEFAULT 0;

DROP TRIGGER nodes_end;

CREATE TRIGGER nodes_end AFTER DELETE ON nodes BEGIN
    UPDATE occupied SET size = size - OLD.size, files = files - 1
    WHERE repository = OLD.repository
        AND EXISTS (SELECT 1 FROM deposits WHERE repository = OLD.repository AND path = OLD.path AND NOT transient);
    UPDATE occupied SET transient = transient - OLD.size
    WHERE repository = OLD.repository
        AND EXISTS (SELECT 1 FROM deposits WHERE repository = OLD.repository AND path = OLD.path AND transient);
    DELETE FROM deposits WHERE repository = OLD.repository AND path = OLD.path;
    DELETE FROM properties WHERE repository = OLD.repository AND path = OLD.path;
END;
