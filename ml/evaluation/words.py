"""What detectors and figures are called in the tables."""

TITLES = {
    "plain_rule": "plain rule",
    "fallen_level": "plain rule, ours",
    "random": "chance",
    "raw_forest": "isolation forest, raw",
    "classic": "the usual recipe (classic)",
    "autoencoder": "autoencoder",
    "gru": "GRU",
    "change_point": "change point",
    "isolation_forest": "isolation forest, changes",
    "unsupervised": "unsupervised fusion",
    "known_booster": "booster alone",
    "known": "all parts, meter only",
    "balance": "balance alone",
    "known_fused": "all parts, with the balance",
    "shipped": "what ships, meter only",
    "shipped_fused": "what ships, with the balance",
}
FIGURES = {
    "auc": "AUC",
    "auc_untouched": "AUC against untouched",
    "average_precision": "average precision",
    "precision_top5": "precision, top 5 %",
    "recall_top10": "recall, top 10 %",
    "detected_fpr1": "detected at 1 %",
    "detected_fpr5": "detected at 5 %",
    "detected_fpr10": "detected at 10 %",
}
