"""The report as one page that opens anywhere, offline: :func:`codemods.review.html.page.render`."""
