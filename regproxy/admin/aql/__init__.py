"""The query language of ``POST /api/search/aql``: ``items.find({…}).include(…).sort({…}).offset(n).limit(n)``.

``words`` cuts a text into words, ``grammar`` reads them as a tree, ``criteria`` says what the tree means, ``query`` puts it
together, ``answer`` finds and shows.
"""
