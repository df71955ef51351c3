-- Views for DuckDB (1.3 or later) over what s4cast publishes: forecasts, scores, anomalies, runs. README.md says how to use them.
--
--   duckdb -cmd "SET VARIABLE s4cast_out = '/srv/s4cast/out'" lake.db < views.sql
--
-- Without the variable the folder is `out`, below wherever a query is run. The views hold no data: they read the files of the
-- moment, and no file need be there. Running this again is harmless. Before DuckDB 2.0, run it again once the first forecast is
-- there: a folder in which there was nothing to read stays empty until then.
--
-- views     latest, vintages, quantiles, accuracy, coverage, actuals, anomalies, forecast_vs_actual, runs, jobs
-- macros    latest_wide(), vintages_wide(), scores_wide(): every column, id columns and rare quantiles too
--
-- Times are instants (TIMESTAMPTZ); `SET timezone = 'UTC'` shows them as they are stored. Forecasts of versions in shadow
-- (OUT/shadow), backtests and other folders are not read, and neither is a run without its _commit.json. A run of several shards has
-- a file of each, and none in `latest`: SELECT v.* FROM vintages AS v SEMI JOIN runs AS r ON v.run_id = r.run_id AND r.is_latest

-- A path has to be a constant where a file is read, and of what a database keeps only a type is one: the folder, and what was
-- found in it just now.
CREATE OR REPLACE TYPE s4cast_out AS ENUM (
  SELECT CASE WHEN given = '/' THEN '' ELSE rtrim(given, '/') END
  FROM (SELECT coalesce(nullif(getvariable('s4cast_out')::VARCHAR, ''), 'out') AS given)
);
CREATE OR REPLACE MACRO s4cast_root() AS enum_range(NULL::s4cast_out)[1]::VARCHAR;
CREATE OR REPLACE TYPE s4cast_found AS ENUM (
  SELECT 'nothing'
  UNION ALL SELECT 'latest' WHERE EXISTS (FROM glob(s4cast_root() || '/latest/job=*/part-0.parquet'))
  UNION ALL SELECT 'latest csv' WHERE EXISTS (FROM glob(s4cast_root() || '/latest/job=*/part-0.csv'))
  UNION ALL SELECT 'history' WHERE EXISTS (FROM glob(s4cast_root() || '/job=*/issued_date=*/run_id=*/part-*.parquet'))
  UNION ALL SELECT 'history csv' WHERE EXISTS (FROM glob(s4cast_root() || '/job=*/issued_date=*/run_id=*/part-*.csv'))
  UNION ALL SELECT 'scores' WHERE EXISTS (FROM glob(s4cast_root() || '/scores/job=*/part-0.parquet'))
  UNION ALL SELECT 'anomalies' WHERE EXISTS (FROM glob(s4cast_root() || '/anomalies/job=*/part-0.parquet'))
);

CREATE OR REPLACE MACRO s4cast_call(reader, pattern, options) AS
  'FROM ' || reader || '(''' || replace(s4cast_root() || pattern, '''', '''''')
  || ''', filename = ''s4cast_file'', hive_partitioning = true, ' || options || ')';

-- All rows of the files that fit a pattern, with the columns of any of them; no row, and hardly a column, where there is no file.
-- DuckDB 2.0 can be told that no file is no error. Before it, what was found when this was run decides; `wider` is then a pattern
-- that fits the files of `latest` too, so that what only comes later than the first forecast is not missed.
CREATE OR REPLACE MACRO s4cast_read(reader, found, pattern, wider, options) AS TABLE
  FROM query(CASE
    WHEN split_part(version()[2:], '.', 1)::INTEGER >= 2 THEN s4cast_call(reader, pattern, options || ', allow_empty = true')
    WHEN list_contains(enum_range(NULL::s4cast_found)::VARCHAR[], found) THEN s4cast_call(reader, pattern, options)
    WHEN list_contains(enum_range(NULL::s4cast_found)::VARCHAR[], 'latest') AND wider <> '' THEN s4cast_call(reader, wider, options)
    ELSE 'SELECT NULL::VARCHAR AS s4cast_file WHERE false'
  END);

-- The columns that every forecast can have, without a row. `s4cast` is yhat under the names of Nixtla's libraries, `empty` what
-- DuckDB makes of no file.
CREATE OR REPLACE MACRO s4cast_forecast_columns() AS TABLE
  SELECT
    NULL::VARCHAR AS job, NULL::VARCHAR AS unique_id, NULL::TIMESTAMPTZ AS ds, NULL::INTEGER AS horizon,
    NULL::DOUBLE AS yhat, NULL::DOUBLE AS yhat_lower, NULL::DOUBLE AS yhat_upper,
    NULL::DOUBLE AS p02_5, NULL::DOUBLE AS p05, NULL::DOUBLE AS p10, NULL::DOUBLE AS p20, NULL::DOUBLE AS p25,
    NULL::DOUBLE AS p30, NULL::DOUBLE AS p40, NULL::DOUBLE AS p50, NULL::DOUBLE AS p60, NULL::DOUBLE AS p70,
    NULL::DOUBLE AS p75, NULL::DOUBLE AS p80, NULL::DOUBLE AS p90, NULL::DOUBLE AS p95, NULL::DOUBLE AS p97_5,
    NULL::TIMESTAMPTZ AS cutoff, NULL::TIMESTAMPTZ AS issued_at, NULL::TIMESTAMPTZ AS created_at, NULL::VARCHAR AS run_id,
    NULL::VARCHAR AS model_id, NULL::INTEGER AS model_version, NULL::VARCHAR AS status, NULL::VARCHAR AS scenario,
    NULL::VARCHAR AS weights, NULL::DOUBLE AS s4cast, NULL::BOOLEAN AS "empty", NULL::VARCHAR AS s4cast_file
  WHERE false;

-- Every column of the newest run of each job. What only other jobs have is null.
CREATE OR REPLACE MACRO latest_wide() AS TABLE
  SELECT * EXCLUDE ("empty", s4cast, s4cast_file) REPLACE (coalesce(yhat, s4cast) AS yhat)
  FROM (
    FROM s4cast_forecast_columns()
    UNION ALL BY NAME
    FROM s4cast_read('read_parquet', 'latest', '/latest/job=*/part-0.parquet', '', 'union_by_name = true, hive_types = {''job'': VARCHAR}')
    UNION ALL BY NAME
    FROM s4cast_read('read_csv', 'latest csv', '/latest/job=*/part-0.csv', '',
      'union_by_name = true, hive_types = {''job'': VARCHAR}, types = {''unique_id'': VARCHAR}')
  );

-- The files that commits name: one for each run, or one for each shard of it. What else lies in the folder of a run is no part of
-- it, and neither is anything in a folder without a commit.
CREATE OR REPLACE MACRO s4cast_committed() AS TABLE
  SELECT regexp_replace(filename, '[^/\\]*$', '') || unnest(json_extract_string(TRY_CAST(content AS JSON), '$.files[*]')) AS file
  FROM read_text(s4cast_root() || '/job=*/issued_date=*/run_id=*/_commit.json');

-- Every row of all runs that are committed, with the columns that `how` asks for.
CREATE OR REPLACE MACRO s4cast_history(how) AS TABLE
  SELECT * EXCLUDE ("empty", s4cast, s4cast_file) REPLACE (coalesce(yhat, s4cast) AS yhat)
  FROM (
    FROM s4cast_forecast_columns()
    UNION ALL BY NAME
    FROM s4cast_read('read_parquet', 'history', '/job=*/issued_date=*/run_id=*/part-*.parquet', '',
      'hive_types = {''job'': VARCHAR, ''issued_date'': DATE, ''run_id'': VARCHAR}, ' || how)
    UNION ALL BY NAME
    FROM s4cast_read('read_csv', 'history csv', '/job=*/issued_date=*/run_id=*/part-*.csv', '',
      'hive_types = {''job'': VARCHAR, ''issued_date'': DATE, ''run_id'': VARCHAR}, types = {''unique_id'': VARCHAR}, union_by_name = true')
  )
  WHERE s4cast_file IN (SELECT file FROM s4cast_committed());

-- Every column of all runs that are committed.
CREATE OR REPLACE MACRO vintages_wide() AS TABLE FROM s4cast_history('union_by_name = true');

-- Columns whose types are known need not be looked up in every file; before DuckDB 2.0 that does not go with names in paths.
CREATE OR REPLACE MACRO s4cast_known(names, type) AS
  array_to_string(['''' || name || ''': {name: ''' || name || ''', type: ''' || type || ''', default_value: NULL}' FOR name IN names], ', ');
CREATE OR REPLACE MACRO s4cast_known_columns() AS CASE
  WHEN split_part(version()[2:], '.', 1)::INTEGER < 2 THEN 'union_by_name = true'
  ELSE 'schema = MAP {' || s4cast_known(['unique_id', 'model_id', 'status', 'scenario', 'weights'], 'VARCHAR')
    || ', ' || s4cast_known(['ds', 'cutoff', 'issued_at', 'created_at'], 'TIMESTAMPTZ')
    || ', ' || s4cast_known(['horizon', 'model_version'], 'INTEGER')
    || ', ' || s4cast_known(['yhat', 'yhat_lower', 'yhat_upper', 's4cast', 'p02_5', 'p05', 'p10', 'p20', 'p25', 'p30', 'p40', 'p50',
      'p60', 'p70', 'p75', 'p80', 'p90', 'p95', 'p97_5'], 'DOUBLE') || '}'
END;

-- Every column of the scores.
CREATE OR REPLACE MACRO scores_wide() AS TABLE
  SELECT * EXCLUDE ("empty", s4cast_file)
  FROM (
    SELECT
      NULL::VARCHAR AS job, NULL::VARCHAR AS run_id, NULL::TIMESTAMPTZ AS issued_at, NULL::INTEGER AS model_version,
      NULL::INTEGER AS first_step, NULL::INTEGER AS last_step, NULL::VARCHAR AS segment, NULL::BIGINT AS points,
      NULL::DOUBLE AS mase, NULL::DOUBLE AS mase_seasonal_naive, NULL::DOUBLE AS bias, NULL::DOUBLE AS mae,
      NULL::DOUBLE AS size, NULL::DOUBLE AS pinball, NULL::BOOLEAN AS is_final,
      NULL::DOUBLE AS coverage_80, NULL::DOUBLE AS width_80, NULL::DOUBLE AS coverage_95, NULL::DOUBLE AS width_95,
      NULL::BOOLEAN AS "empty", NULL::VARCHAR AS s4cast_file
    WHERE false
    UNION ALL BY NAME
    FROM s4cast_read('read_parquet', 'scores', '/scores/job=*/part-0.parquet', '/[ls][ac][to][er][se][ts]/job=*/part-0.parquet',
      'union_by_name = true, hive_types = {''job'': VARCHAR}')
  )
  WHERE regexp_matches(s4cast_file, '[/\\]scores[/\\]job=[^/\\]*[/\\][^/\\]*$');

-- The newest run of each job, one row per series, scenario and step.
CREATE OR REPLACE VIEW latest AS
  SELECT
    job, unique_id, ds, horizon::INTEGER AS horizon, yhat, yhat_lower, yhat_upper,
    p02_5, p05, p10, p20, p25, p30, p40, p50, p60, p70, p75, p80, p90, p95, p97_5,
    cutoff, issued_at, created_at, run_id, model_id, model_version::INTEGER AS model_version, status,
    nullif(scenario, '') AS scenario, weights
  FROM latest_wide();

-- Every run that was ever issued and is still kept.
CREATE OR REPLACE VIEW vintages AS
  SELECT
    job, unique_id, ds, horizon::INTEGER AS horizon, yhat, yhat_lower, yhat_upper,
    p02_5, p05, p10, p20, p25, p30, p40, p50, p60, p70, p75, p80, p90, p95, p97_5,
    cutoff, issued_at, created_at, run_id, model_id, model_version::INTEGER AS model_version, status,
    nullif(scenario, '') AS scenario, weights
  FROM s4cast_history(s4cast_known_columns());

-- All quantiles of the newest runs, one row each, whatever levels a job has.
CREATE OR REPLACE VIEW quantiles AS
  SELECT
    job, unique_id, ds, horizon::INTEGER AS horizon, issued_at, run_id, nullif(scenario, '') AS scenario,
    round(replace(name[2:], '_', '.')::DOUBLE / 100, 9) AS level, value
  FROM (UNPIVOT (FROM latest_wide()) ON COLUMNS('^p[0-9][0-9](_[0-9]+)?$') INTO NAME name VALUE value);

-- How each run compared with what came: over everything, by band of steps, by segment.
CREATE OR REPLACE VIEW accuracy AS
  SELECT
    job, issued_at, run_id, model_version,
    CASE
      WHEN segment IS NOT NULL THEN 'segment'
      WHEN first_step = 1 AND last_step = max(last_step) OVER (PARTITION BY job, run_id) THEN 'all'
      ELSE 'band'
    END AS scope,
    segment, first_step, last_step, points::BIGINT AS points,
    mase, mase_seasonal_naive, 1 - mase / nullif(mase_seasonal_naive, 0) AS skill,
    bias::DOUBLE AS bias, mae, mae / nullif(size::DOUBLE, 0) AS wape, pinball,
    coverage_80, width_80, coverage_95, width_95, is_final
  FROM scores_wide();

-- The share of actual values inside each interval beside the share that was promised, whatever levels a job has.
CREATE OR REPLACE VIEW coverage AS
  WITH long AS (
    SELECT
      job, issued_at, run_id, model_version, segment, first_step, last_step, points::BIGINT AS points, is_final,
      split_part(name, '_', 1) AS figure, replace(name[len(split_part(name, '_', 1)) + 2:], '_', '.')::DOUBLE / 100 AS promised, value
    FROM (UNPIVOT (FROM scores_wide()) ON COLUMNS('^(coverage|width)_[0-9]+(_[0-9]+)?$') INTO NAME name VALUE value)
  ),
  wide AS (
    SELECT
      job, issued_at, run_id, model_version, segment, first_step, last_step, points, is_final, promised,
      max(value) FILTER (figure = 'coverage') AS covered, max(value) FILTER (figure = 'width') AS width
    FROM long
    GROUP BY ALL
  )
  SELECT
    job, issued_at, run_id, model_version,
    CASE
      WHEN segment IS NOT NULL THEN 'segment'
      WHEN first_step = 1 AND last_step = max(last_step) OVER (PARTITION BY job, run_id) THEN 'all'
      ELSE 'band'
    END AS scope,
    segment, first_step, last_step, points, promised, covered, width, is_final
  FROM wide;

-- Actual values beside the interval that had been published for them: recent ones, and older ones that were anomalous.
CREATE OR REPLACE VIEW actuals AS
  SELECT job, unique_id, ds, y, yhat, yhat_lower, yhat_upper, score::DOUBLE AS score, is_anomaly, direction, run_id
  FROM (
    SELECT
      NULL::VARCHAR AS job, NULL::VARCHAR AS unique_id, NULL::TIMESTAMPTZ AS ds, NULL::DOUBLE AS y, NULL::DOUBLE AS yhat,
      NULL::DOUBLE AS yhat_lower, NULL::DOUBLE AS yhat_upper, NULL::DOUBLE AS score, NULL::BOOLEAN AS is_anomaly,
      NULL::VARCHAR AS direction, NULL::VARCHAR AS run_id, NULL::VARCHAR AS s4cast_file
    WHERE false
    UNION ALL BY NAME
    FROM s4cast_read('read_parquet', 'anomalies', '/anomalies/job=*/part-0.parquet', '/[la][an][to][em]*[ts]/job=*/part-0.parquet',
      'union_by_name = true, hive_types = {''job'': VARCHAR}')
  )
  WHERE regexp_matches(s4cast_file, '[/\\]anomalies[/\\]job=[^/\\]*[/\\][^/\\]*$');

-- Actual values outside of their interval.
CREATE OR REPLACE VIEW anomalies AS
  SELECT * EXCLUDE (is_anomaly) FROM actuals WHERE is_anomaly;

-- Every kept forecast, scenarios aside, whose time has an actual value.
CREATE OR REPLACE VIEW forecast_vs_actual AS
  SELECT
    v.job, v.unique_id, v.ds, v.horizon, v.issued_at, v.run_id, v.model_id, v.model_version,
    a.y, v.yhat, v.yhat_lower, v.yhat_upper, v.yhat - a.y AS error, a.y BETWEEN v.yhat_lower AND v.yhat_upper AS is_inside
  FROM vintages AS v
  JOIN actuals AS a ON v.job = a.job AND v.unique_id = a.unique_id AND v.ds = a.ds
  WHERE v.scenario IS NULL;

-- The runs that are committed, from their _commit.json.
CREATE OR REPLACE VIEW runs AS
  WITH commits AS (
    SELECT filename AS path, TRY_CAST(content AS JSON) AS said
    FROM read_text(s4cast_root() || '/job=*/issued_date=*/run_id=*/_commit.json')
  )
  SELECT
    said ->> 'job' AS job, said ->> 'run_id' AS run_id,
    TRY_CAST(said ->> 'issued_at' AS TIMESTAMPTZ) AS issued_at, TRY_CAST(said ->> 'created_at' AS TIMESTAMPTZ) AS created_at,
    row_number() OVER (
      PARTITION BY said ->> 'job'
      ORDER BY TRY_CAST(said ->> 'issued_at' AS TIMESTAMPTZ) DESC, TRY_CAST(said ->> 'created_at' AS TIMESTAMPTZ) DESC, said ->> 'run_id' DESC
    ) = 1 AS is_latest,
    TRY_CAST(said ->> 'rows' AS BIGINT) AS row_count, TRY_CAST(said ->> 'bytes' AS BIGINT) AS byte_count,
    said ->> 'format' AS format, said ->> 'naming' AS naming, TRY_CAST(said ->> 'schema_version' AS INTEGER) AS schema_version,
    said ->> 'sha256' AS sha256, said -> 'metadata' AS metadata, path
  FROM commits
  WHERE said IS NOT NULL;

-- One row per job: how its newest run stands.
CREATE OR REPLACE VIEW jobs AS
  SELECT
    job, max(run_id) AS run_id, max(issued_at) AS issued_at, max(created_at) AS created_at,
    max(model_version) AS model_version, max(cutoff) AS newest_cutoff, max(ds) AS last_ds, max(horizon) AS horizon,
    count(DISTINCT unique_id) AS series, count(DISTINCT unique_id) FILTER (status <> 'ok') AS series_not_ok,
    count(*) AS row_count, list(DISTINCT scenario) FILTER (scenario IS NOT NULL) AS scenarios
  FROM latest
  GROUP BY job;

-- What a schema browser shows.
COMMENT ON VIEW latest IS 'The newest run of each job: one row per series, scenario and step';
COMMENT ON COLUMN latest.job IS 'Name of the job';
COMMENT ON COLUMN latest.unique_id IS 'Id of the series: its id columns joined by /';
COMMENT ON COLUMN latest.ds IS 'The instant that is forecast';
COMMENT ON COLUMN latest.horizon IS 'Steps ahead, from 1 on';
COMMENT ON COLUMN latest.yhat IS 'Point forecast, the median unless the job says otherwise';
COMMENT ON COLUMN latest.yhat_lower IS 'Lower end of the interval of the first level';
COMMENT ON COLUMN latest.yhat_upper IS 'Upper end of the interval of the first level';
COMMENT ON COLUMN latest.p02_5 IS 'Quantile 0.025; null where the job has no such level';
COMMENT ON COLUMN latest.p05 IS 'Quantile 0.05; null where the job has no such level';
COMMENT ON COLUMN latest.p10 IS 'Quantile 0.1; null where the job has no such level';
COMMENT ON COLUMN latest.p20 IS 'Quantile 0.2; null where the job has no such level';
COMMENT ON COLUMN latest.p25 IS 'Quantile 0.25; null where the job has no such level';
COMMENT ON COLUMN latest.p30 IS 'Quantile 0.3; null where the job has no such level';
COMMENT ON COLUMN latest.p40 IS 'Quantile 0.4; null where the job has no such level';
COMMENT ON COLUMN latest.p50 IS 'Quantile 0.5; null where the job has no such level';
COMMENT ON COLUMN latest.p60 IS 'Quantile 0.6; null where the job has no such level';
COMMENT ON COLUMN latest.p70 IS 'Quantile 0.7; null where the job has no such level';
COMMENT ON COLUMN latest.p75 IS 'Quantile 0.75; null where the job has no such level';
COMMENT ON COLUMN latest.p80 IS 'Quantile 0.8; null where the job has no such level';
COMMENT ON COLUMN latest.p90 IS 'Quantile 0.9; null where the job has no such level';
COMMENT ON COLUMN latest.p95 IS 'Quantile 0.95; null where the job has no such level';
COMMENT ON COLUMN latest.p97_5 IS 'Quantile 0.975; null where the job has no such level';
COMMENT ON COLUMN latest.cutoff IS 'Last observation that was used';
COMMENT ON COLUMN latest.issued_at IS 'Nominal instant of the run; null in files with the columns of Nixtla''s libraries';
COMMENT ON COLUMN latest.created_at IS 'When the run was first written';
COMMENT ON COLUMN latest.run_id IS 'Id of the run (UUIDv7)';
COMMENT ON COLUMN latest.model_id IS 'Which model made the row';
COMMENT ON COLUMN latest.model_version IS 'Version of the model; 0 for a stand-in';
COMMENT ON COLUMN latest.status IS 'ok, stale, degraded, fallback or cold_start';
COMMENT ON COLUMN latest.scenario IS 'Name of the scenario; null is the plan itself';
COMMENT ON COLUMN latest.weights IS 'What the row is an average of, the heaviest first';
COMMENT ON VIEW vintages IS 'Every committed run that is still kept';
COMMENT ON COLUMN vintages.job IS 'Name of the job';
COMMENT ON COLUMN vintages.unique_id IS 'Id of the series: its id columns joined by /';
COMMENT ON COLUMN vintages.ds IS 'The instant that is forecast';
COMMENT ON COLUMN vintages.horizon IS 'Steps ahead, from 1 on';
COMMENT ON COLUMN vintages.yhat IS 'Point forecast, the median unless the job says otherwise';
COMMENT ON COLUMN vintages.yhat_lower IS 'Lower end of the interval of the first level';
COMMENT ON COLUMN vintages.yhat_upper IS 'Upper end of the interval of the first level';
COMMENT ON COLUMN vintages.p02_5 IS 'Quantile 0.025; null where the job has no such level';
COMMENT ON COLUMN vintages.p05 IS 'Quantile 0.05; null where the job has no such level';
COMMENT ON COLUMN vintages.p10 IS 'Quantile 0.1; null where the job has no such level';
COMMENT ON COLUMN vintages.p20 IS 'Quantile 0.2; null where the job has no such level';
COMMENT ON COLUMN vintages.p25 IS 'Quantile 0.25; null where the job has no such level';
COMMENT ON COLUMN vintages.p30 IS 'Quantile 0.3; null where the job has no such level';
COMMENT ON COLUMN vintages.p40 IS 'Quantile 0.4; null where the job has no such level';
COMMENT ON COLUMN vintages.p50 IS 'Quantile 0.5; null where the job has no such level';
COMMENT ON COLUMN vintages.p60 IS 'Quantile 0.6; null where the job has no such level';
COMMENT ON COLUMN vintages.p70 IS 'Quantile 0.7; null where the job has no such level';
COMMENT ON COLUMN vintages.p75 IS 'Quantile 0.75; null where the job has no such level';
COMMENT ON COLUMN vintages.p80 IS 'Quantile 0.8; null where the job has no such level';
COMMENT ON COLUMN vintages.p90 IS 'Quantile 0.9; null where the job has no such level';
COMMENT ON COLUMN vintages.p95 IS 'Quantile 0.95; null where the job has no such level';
COMMENT ON COLUMN vintages.p97_5 IS 'Quantile 0.975; null where the job has no such level';
COMMENT ON COLUMN vintages.cutoff IS 'Last observation that was used';
COMMENT ON COLUMN vintages.issued_at IS 'Nominal instant of the run; null in files with the columns of Nixtla''s libraries';
COMMENT ON COLUMN vintages.created_at IS 'When the run was first written';
COMMENT ON COLUMN vintages.run_id IS 'Id of the run (UUIDv7)';
COMMENT ON COLUMN vintages.model_id IS 'Which model made the row';
COMMENT ON COLUMN vintages.model_version IS 'Version of the model; 0 for a stand-in';
COMMENT ON COLUMN vintages.status IS 'ok, stale, degraded, fallback or cold_start';
COMMENT ON COLUMN vintages.scenario IS 'Name of the scenario; null is the plan itself';
COMMENT ON COLUMN vintages.weights IS 'What the row is an average of, the heaviest first';
COMMENT ON VIEW quantiles IS 'All quantiles of the newest runs, one row each, whatever levels a job has';
COMMENT ON COLUMN quantiles.job IS 'Name of the job';
COMMENT ON COLUMN quantiles.unique_id IS 'Id of the series: its id columns joined by /';
COMMENT ON COLUMN quantiles.ds IS 'The instant that is forecast';
COMMENT ON COLUMN quantiles.horizon IS 'Steps ahead, from 1 on';
COMMENT ON COLUMN quantiles.issued_at IS 'Nominal instant of the run; null in files with the columns of Nixtla''s libraries';
COMMENT ON COLUMN quantiles.run_id IS 'Id of the run (UUIDv7)';
COMMENT ON COLUMN quantiles.scenario IS 'Name of the scenario; null is the plan itself';
COMMENT ON COLUMN quantiles.level IS 'Level of the quantile, between 0 and 1';
COMMENT ON COLUMN quantiles.value IS 'The quantile';
COMMENT ON VIEW accuracy IS 'How each run compared with what came';
COMMENT ON COLUMN accuracy.job IS 'Name of the job';
COMMENT ON COLUMN accuracy.issued_at IS 'Nominal instant of the run';
COMMENT ON COLUMN accuracy.run_id IS 'Id of the run (UUIDv7)';
COMMENT ON COLUMN accuracy.model_version IS 'Version of the model; 0 for a stand-in';
COMMENT ON COLUMN accuracy.scope IS 'all: the whole run; band: some of its steps; segment: the series of one segment';
COMMENT ON COLUMN accuracy.segment IS 'Value of the segment column; null over all series';
COMMENT ON COLUMN accuracy.first_step IS 'First step that counts';
COMMENT ON COLUMN accuracy.last_step IS 'Last step that counts';
COMMENT ON COLUMN accuracy.points IS 'Forecasts that have an actual value';
COMMENT ON COLUMN accuracy.mase IS 'Mean absolute error in units of the in-sample error of seasonal naive';
COMMENT ON COLUMN accuracy.mase_seasonal_naive IS 'The same of seasonal naive on the same points';
COMMENT ON COLUMN accuracy.skill IS '1 - mase / mase_seasonal_naive: above 0 is better than seasonal naive';
COMMENT ON COLUMN accuracy.bias IS 'Mean error in units as mase; positive where forecasts are too high';
COMMENT ON COLUMN accuracy.mae IS 'Mean absolute error, units of the target';
COMMENT ON COLUMN accuracy.wape IS 'mae over the mean absolute actual value';
COMMENT ON COLUMN accuracy.pinball IS 'Mean pinball loss over the quantile levels, units as mase';
COMMENT ON COLUMN accuracy.coverage_80 IS 'Share of actual values inside the 80 % interval; other levels are in the view coverage';
COMMENT ON COLUMN accuracy.width_80 IS 'Mean width of the 80 % interval, units as mase';
COMMENT ON COLUMN accuracy.coverage_95 IS 'Share of actual values inside the 95 % interval';
COMMENT ON COLUMN accuracy.width_95 IS 'Mean width of the 95 % interval, units as mase';
COMMENT ON COLUMN accuracy.is_final IS 'Whether no later actual value can change the row';
COMMENT ON VIEW coverage IS 'Intervals of each run: the share that was promised beside the share that was held';
COMMENT ON COLUMN coverage.job IS 'Name of the job';
COMMENT ON COLUMN coverage.issued_at IS 'Nominal instant of the run';
COMMENT ON COLUMN coverage.run_id IS 'Id of the run (UUIDv7)';
COMMENT ON COLUMN coverage.model_version IS 'Version of the model; 0 for a stand-in';
COMMENT ON COLUMN coverage.scope IS 'all: the whole run; band: some of its steps; segment: the series of one segment';
COMMENT ON COLUMN coverage.segment IS 'Value of the segment column; null over all series';
COMMENT ON COLUMN coverage.first_step IS 'First step that counts';
COMMENT ON COLUMN coverage.last_step IS 'Last step that counts';
COMMENT ON COLUMN coverage.points IS 'Forecasts that have an actual value';
COMMENT ON COLUMN coverage.promised IS 'Level of the interval, between 0 and 1';
COMMENT ON COLUMN coverage.covered IS 'Share of actual values inside the interval';
COMMENT ON COLUMN coverage.width IS 'Mean width of the interval, units as mase';
COMMENT ON COLUMN coverage.is_final IS 'Whether no later actual value can change the row';
COMMENT ON VIEW actuals IS 'Actual values beside the interval that was published for them: recent ones, and older ones that were anomalous. Only of jobs with anomaly';
COMMENT ON COLUMN actuals.job IS 'Name of the job';
COMMENT ON COLUMN actuals.unique_id IS 'Id of the series: its id columns joined by /';
COMMENT ON COLUMN actuals.ds IS 'Time of the value';
COMMENT ON COLUMN actuals.y IS 'The actual value';
COMMENT ON COLUMN actuals.yhat IS 'What the newest run before it said';
COMMENT ON COLUMN actuals.yhat_lower IS 'Lower end of the interval that anomalies are told by';
COMMENT ON COLUMN actuals.yhat_upper IS 'Upper end of the interval that anomalies are told by';
COMMENT ON COLUMN actuals.score IS 'Distance from yhat in halves of the interval: above 1 lies outside';
COMMENT ON COLUMN actuals.is_anomaly IS 'Whether the value counts as an anomaly';
COMMENT ON COLUMN actuals.direction IS 'above or below; null where the value was as expected';
COMMENT ON COLUMN actuals.run_id IS 'Id of the run that said so';
COMMENT ON VIEW anomalies IS 'Actual values that were not to be expected';
COMMENT ON COLUMN anomalies.job IS 'Name of the job';
COMMENT ON COLUMN anomalies.unique_id IS 'Id of the series: its id columns joined by /';
COMMENT ON COLUMN anomalies.ds IS 'Time of the value';
COMMENT ON COLUMN anomalies.y IS 'The actual value';
COMMENT ON COLUMN anomalies.yhat IS 'What the newest run before it said';
COMMENT ON COLUMN anomalies.yhat_lower IS 'Lower end of the interval that anomalies are told by';
COMMENT ON COLUMN anomalies.yhat_upper IS 'Upper end of the interval that anomalies are told by';
COMMENT ON COLUMN anomalies.score IS 'Distance from yhat in halves of the interval: above 1 lies outside';
COMMENT ON COLUMN anomalies.direction IS 'above or below; null where the value was as expected';
COMMENT ON COLUMN anomalies.run_id IS 'Id of the run that said so';
COMMENT ON VIEW forecast_vs_actual IS 'Every kept forecast, scenarios aside, whose time has an actual value in the view actuals';
COMMENT ON COLUMN forecast_vs_actual.job IS 'Name of the job';
COMMENT ON COLUMN forecast_vs_actual.unique_id IS 'Id of the series: its id columns joined by /';
COMMENT ON COLUMN forecast_vs_actual.ds IS 'Time of the value';
COMMENT ON COLUMN forecast_vs_actual.horizon IS 'Steps ahead, from 1 on';
COMMENT ON COLUMN forecast_vs_actual.issued_at IS 'Nominal instant of the run; null in files with the columns of Nixtla''s libraries';
COMMENT ON COLUMN forecast_vs_actual.run_id IS 'Id of the run (UUIDv7)';
COMMENT ON COLUMN forecast_vs_actual.model_id IS 'Which model made the row';
COMMENT ON COLUMN forecast_vs_actual.model_version IS 'Version of the model; 0 for a stand-in';
COMMENT ON COLUMN forecast_vs_actual.y IS 'The actual value';
COMMENT ON COLUMN forecast_vs_actual.yhat IS 'Point forecast, the median unless the job says otherwise';
COMMENT ON COLUMN forecast_vs_actual.yhat_lower IS 'Lower end of the interval of the first level';
COMMENT ON COLUMN forecast_vs_actual.yhat_upper IS 'Upper end of the interval of the first level';
COMMENT ON COLUMN forecast_vs_actual.error IS 'yhat - y';
COMMENT ON COLUMN forecast_vs_actual.is_inside IS 'Whether y lies between yhat_lower and yhat_upper';
COMMENT ON VIEW runs IS 'The runs that are committed, from their _commit.json';
COMMENT ON COLUMN runs.job IS 'Name of the job';
COMMENT ON COLUMN runs.run_id IS 'Id of the run (UUIDv7)';
COMMENT ON COLUMN runs.issued_at IS 'Nominal instant of the run';
COMMENT ON COLUMN runs.created_at IS 'When it was written last';
COMMENT ON COLUMN runs.is_latest IS 'Whether it is the newest of its job';
COMMENT ON COLUMN runs.row_count IS 'Rows of its file';
COMMENT ON COLUMN runs.byte_count IS 'Bytes of its file';
COMMENT ON COLUMN runs.format IS 'parquet or csv';
COMMENT ON COLUMN runs.naming IS 'v1, or nixtla: the columns of Nixtla''s libraries';
COMMENT ON COLUMN runs.schema_version IS 'Version of the columns';
COMMENT ON COLUMN runs.sha256 IS 'Of its file';
COMMENT ON COLUMN runs.metadata IS 'Hashes of data, config, code and weights, and whatever else the run carries';
COMMENT ON COLUMN runs.path IS 'Its _commit.json';
COMMENT ON VIEW jobs IS 'The newest run of each job in one row';
COMMENT ON COLUMN jobs.job IS 'Name of the job';
COMMENT ON COLUMN jobs.run_id IS 'Id of the run (UUIDv7)';
COMMENT ON COLUMN jobs.issued_at IS 'Nominal instant of the run; null in files with the columns of Nixtla''s libraries';
COMMENT ON COLUMN jobs.created_at IS 'When the run was first written';
COMMENT ON COLUMN jobs.model_version IS 'Version of the model; 0 for a stand-in';
COMMENT ON COLUMN jobs.newest_cutoff IS 'Last observation that any series used';
COMMENT ON COLUMN jobs.last_ds IS 'How far its forecasts reach';
COMMENT ON COLUMN jobs.horizon IS 'Steps of its longest forecast';
COMMENT ON COLUMN jobs.series IS 'Series that are forecast';
COMMENT ON COLUMN jobs.series_not_ok IS 'Those of them whose status is not ok';
COMMENT ON COLUMN jobs.row_count IS 'Rows, scenarios included';
COMMENT ON COLUMN jobs.scenarios IS 'Names of the scenarios';
