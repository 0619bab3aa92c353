"""One folder for each packaging format; each exports ``FORMAT`` (``repo.interface.Format``)."""
