"""The case log: what trainees have practised, case by case, confirmed by who taught."""
