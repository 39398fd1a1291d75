"""A job that scores the partitions of a data set in a local Spark, and skips those that are done.

python spark_job.py INTAKES RESULTS RULEBOOK: prints each partition that it has written.
"""

import sys
from pathlib import Path

from pyspark.sql import SparkSession

from scoring.columns.spark import score_dataframe


def main() -> None:
    """Score each partition whose results are not complete."""
    intakes, results, rulebook = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    spark = (
        SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    )
    for partition in sorted(intakes.iterdir()):
        target = results / partition.name
        if (target / "_SUCCESS").exists():  # Spark writes it last
            continue
        scored = score_dataframe(spark.read.parquet(str(partition)), rulebook)
        scored.write.mode("overwrite").parquet(str(target))
        sys.stdout.write(f"{partition.name}\n")
        sys.stdout.flush()
    spark.stop()


if __name__ == "__main__":
    main()
