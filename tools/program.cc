#include "tools/program.h"

#include <CLI/CLI.hpp>

#include "query/syntax/errors.h"
#include "tools/command.h"

namespace braid {
namespace {

const char* const kFooter =
    "Examples:\n"
    "  braid demo                                     an incident, answered by one query\n"
    "  braid serve --data ./telemetry                 OTLP, Prometheus and NDJSON in; queries out\n"
    "  braid run --service web -- python3 app.py      a program, with all it tells\n"
    "  braid import --data ./telemetry app.ndjson.gz  files instead of a server\n"
    "  braid query --data ./telemetry 'logs{level >= error} | stats n = count() by (service)'\n";

// What `braid COMMAND --help` ends with.
const char* ExamplesOf(std::string_view command) {
  static constexpr std::pair<std::string_view, const char*> kExamples[] = {
      {"serve",
       "  braid serve --data ./telemetry --scrape 127.0.0.1:5000\n"
       "  braid serve --tail 'web=/var/log/web/*.log' --retention 15d --memory 512MB\n"
       "  braid serve --listen 0.0.0.0:4318 --tls-cert cert.pem --tls-key key.pem --token-file token\n"},
      {"run",
       "  braid run --service web -- python3 app.py\n"
       "  braid run --service web --scrape 9100 --server https://store:4318 --ca-file ca.pem --token-file token -- "
       "./web\n"},
      {"pipe",
       "  ./web 2>&1 | braid pipe --service web\n"
       "  ./job 2>&1 | braid pipe --service job --data ./telemetry\n"},
      {"import",
       "  braid import --data ./telemetry metrics.prom app.ndjson.gz spans.jsonl.zst\n"
       "  journalctl -o json | braid import --format jsonl -\n"},
      {"query",
       "  braid query 'logs{level >= error} | stats n = count() by (service)'\n"
       "  braid query --server http://127.0.0.1:4318 --range -1h..now 'sum by (service) "
       "(rate(http_requests_total[5m]))'\n"
       "  braid query --format csv -p id=r-17 'logs{request_id = $id} | keep time, message'\n"
       "  braid query --data ./telemetry                 a shell, on a terminal\n"},
      {"inspect",
       "  braid inspect braid-data/MANIFEST\n"
       "  braid inspect --lines 20 braid-data/wal/SEGMENT\n"},
      {"verify", "  braid verify ./telemetry\n"},
      {"delete",
       "  braid delete --data ./telemetry 'logs{service = \"shop\"}' --end -7d\n"
       "  braid delete --server http://127.0.0.1:4318 --token-file token 'up{job=\"old\"}' 'spans{name in (\"a\", "
       "\"b\")}'\n"},
      {"backup", "  braid backup --data ./telemetry /backups/today\n"},
      {"restore", "  braid restore /backups/today --data ./telemetry\n"},
      {"torture", "  braid torture --seconds 300 /mnt/disk/tried\n"},
      {"generate", "  braid generate --out ./shop --length 2h --rate 50\n"},
      {"load", "  braid load --signals logs,traces --rate 20000 --duration 1m\n"},
      {"demo", "  braid demo --once\n"},
  };
  for (const auto& [name, examples] : kExamples) {
    if (name == command) return examples;
  }
  return "";
}

void AddServe(CLI::App* app, ServeSettings* settings, int* code) {
  CLI::App* command = app->add_subcommand("serve", "Receive telemetry and answer queries over HTTP");
  command->add_option("--data", settings->data, "Directory of the store; created if missing")->capture_default_str();
  command->add_option("--listen", settings->listen,
                      "HOST:PORT to listen on, repeatable [127.0.0.1:4318 and [::1]:4318]");
  command->add_option("--durability", settings->durability, "What an acknowledgement means: durable, buffered, memory")
      ->check(CLI::IsMember({"durable", "buffered", "memory"}))
      ->capture_default_str();
  command->add_option("--retention", settings->retention,
                      "Remove data older than this before the newest, e.g. 15d [keep all]");
  command->add_option("--retention-size", settings->retention_size,
                      "Remove the oldest data, whatever its signal, beyond so much disk, e.g. 10GB [no limit]");
  command->add_option("--memory", settings->memory,
                      "What heads, request bodies and queries may take together, e.g. 512MB [no limit]");
  command
      ->add_option("--reserve", settings->reserve,
                   "Disk space kept back so that data can still be removed when the disk is full; 0 = none")
      ->capture_default_str();
  command->add_option("--flush-mb", settings->flush_mb, "Memory of the head before it is flushed, in MB")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command
      ->add_option("--recover", settings->recover,
                   "If the log is damaged in its middle: refuse, point-in-time, salvage")
      ->check(CLI::IsMember({"refuse", "point-in-time", "salvage"}))
      ->capture_default_str();
  command->add_option("--grpc-listen", settings->grpc_listen,
                      "HOST:PORT for OTLP/gRPC, repeatable [127.0.0.1:4317 and [::1]:4317, if --listen is not given]");
  command->add_flag("--compat", settings->compat,
                    "Listen on the classic ports too: 4317, 9090, 3100, 9411, 14268, 5778, 9200, UDP 6831 and 6832");
  CLI::Option* certificate = command->add_option("--tls-cert", settings->tls_certificate,
                                                 "PEM file with the server's certificate and its chain: speak TLS");
  CLI::Option* key = command->add_option("--tls-key", settings->tls_key, "PEM file with its private key");
  certificate->needs(key);
  key->needs(certificate);
  command->add_flag("--insecure-allow-remote", settings->insecure_allow_remote,
                    "Allow addresses that others can reach without TLS; a token is needed in any case");
  command->add_option("--jaeger-udp", settings->jaeger_udp,
                      "Take Jaeger's Thrift datagrams on this loopback port, e.g. 6831; repeatable [off]");
  command->add_option("--tail", settings->tail,
                      "Follow log files: 'GLOB' or 'SERVICE=GLOB', quoted; repeatable. Keeps its place in the store");
  command
      ->add_option("--scrape", settings->scrape,
                   "HOST:PORT[/PATH] whose metrics are scraped every 15 s; several with commas, or repeated")
      ->delimiter(',');
  command->add_option("--scrape-config", settings->scrape_config,
                      "File with scrape_configs, and global, as in prometheus.yml");
  command
      ->add_option("--series-max", settings->series_max,
                   "Active series beyond which new ones are refused; 0 is no limit")
      ->capture_default_str();
  command->add_option("--log-format", settings->log_format, "Form of the log on standard error: text, logfmt, json")
      ->check(CLI::IsMember({"text", "logfmt", "json"}))
      ->capture_default_str();
  command->add_option("--log-level", settings->log_level, "What of it is said: debug, info, warn, error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  command->add_flag("--self-telemetry", settings->self_telemetry,
                    "Keep the server's own metrics and log in the store too, as the service braid");
  command->add_option("--token-file", settings->token_file,
                      "File whose first line is the bearer token that requests must carry");
  command->callback([settings, code] { *code = RunServe(*settings); });
}

// Which server: where, its token and whom to trust. With `data` it is one or the other.
void AddServer(CLI::App* command, ServerChoice* server, CLI::Option* data, const std::string& meaning) {
  CLI::Option* url = command->add_option("--server", server->url, meaning);
  if (data != nullptr) url->excludes(data);
  command->add_option("--token-file", server->token_file, "File whose first line is the server's token");
  command->add_option("--ca-file", server->ca_file,
                      "PEM file with the authority of an https server's certificate [the system's]");
}

void AddCapture(CLI::App* app, RunSettings* run, PipeSettings* pipe, int* code) {
  CLI::App* command = app->add_subcommand(
      "run", "Run a program and take its telemetry: what it prints, its /metrics, OTLP and Jaeger's datagrams");
  command->add_option("command", run->command, "The program and its arguments, behind --")->required();
  command->add_option("--service", run->service, "Name of the service [name of the program]");
  command->add_option("--scrape", run->scrape, "Port of its /metrics; none: do not look for one [found out]")
      ->check(CLI::IsMember({"none"}) | CLI::Range(1, 65535));
  CLI::Option* data = command->add_option("--data", run->data, "Serve this store while the program runs [braid-data]");
  AddServer(command, &run->server, data, "Send to a running server [http://127.0.0.1:4318 if one answers there]");
  command
      ->add_option("--jaeger-udp", run->jaeger_udp,
                   "Without a running server: ports for Jaeger's datagrams, repeatable [6831 and 6832]")
      ->allow_extra_args(false)  // else a -- behind it would end its list instead of the options
      ->excludes("--server");
  command->callback([run, code] { *code = RunProgramCaptured(*run); });

  command = app->add_subcommand("pipe", "Pass standard input through and keep its lines: cmd 2>&1 | braid pipe");
  command->add_option("--service", pipe->service, "Name of the service");
  data = command->add_option("--data", pipe->data, "Write to this store instead of a server");
  AddServer(command, &pipe->server, data, "Server to send to [http://127.0.0.1:4318]");
  command->callback([pipe, code] { *code = RunPipe(*pipe); });
}

void AddImport(CLI::App* app, ImportSettings* settings, int* code) {
  CLI::App* command = app->add_subcommand("import",
                                          "Read files into a store: Prometheus text or OpenMetrics, OTLP JSON lines, "
                                          "NDJSON logs, plain text logs; .gz and .zst too");
  command->add_option("files", settings->files, "Files; - is standard input")->required();
  command->add_option("--data", settings->data, "Directory of the store; created if missing")->capture_default_str();
  command
      ->add_option("--format", settings->format,
                   "prometheus, openmetrics, otlp, jsonl or text [found out from the content]")
      ->check(CLI::IsMember({"prometheus", "openmetrics", "otlp", "jsonl", "text"}));
  command->add_option("--service", settings->service, "Service of log lines that name none");
  command->add_flag("-q,--quiet", settings->quiet, "No progress");
  command->callback([settings, code] { *code = RunImport(*settings); });
}

void AddQuery(CLI::App* app, QuerySettings* settings, int* code) {
  CLI::App* command =
      app->add_subcommand("query", "Ask across metrics, logs and traces; without a query on a terminal: a shell");
  command->add_option("text", settings->text, "The query; - reads it from standard input");
  CLI::Option* data = command->add_option("--data", settings->data, "Directory of the store [braid-data]");
  AddServer(command, &settings->server, data, "Ask a running server instead, e.g. http://127.0.0.1:4318");
  command->add_option("--start", settings->start,
                      "First instant: RFC 3339, epoch seconds or -1h [that of the data; with --server an hour ago]");
  command->add_option("--end", settings->end, "Last instant [that of the data; with --server now]");
  command->add_option("--range", settings->range, "FROM..TO for both, e.g. -1h..now");
  command->add_option("--step", settings->step, "Step of series, e.g. 30s [range / 250]");
  command
      ->add_option("--format", settings->format,
                   "table, json, ndjson or csv [a table; on a terminal a line per series]")
      ->check(CLI::IsMember({"table", "json", "ndjson", "csv"}));
  command->add_option("-p,--param", settings->params, "NAME=VALUE for $NAME in the query, repeatable")
      ->allow_extra_args(false);  // what follows a value is the query
  command->add_option("--limit", settings->limit, "Rows of the answer at the most [10000]")
      ->check(CLI::Range(uint64_t{1}, uint64_t{10'000'000}));
  command->callback([settings, code] { *code = RunQuery(*settings); });
}

void AddFiles(CLI::App* app, InspectSettings* inspect, VerifySettings* verify, int* code) {
  CLI::App* command = app->add_subcommand("inspect", "Show what is inside one file of a store");
  command->add_option("file", inspect->file, "A WAL segment, the manifest, or a file of a part")->required();
  command->add_option("--lines", inspect->lines_max, "Stop after so many lines [all]");
  command->callback([inspect, code] { *code = RunInspect(*inspect); });

  command = app->add_subcommand("verify", "Read every byte of a store and check it; changes nothing");
  command->add_option("dir", verify->dir, "Directory of the store")->required();
  command->add_flag("-q,--quiet", verify->quiet, "No progress");
  command->callback([verify, code] { *code = RunVerify(*verify); });
}

void AddLifecycle(CLI::App* app, DeleteSettings* erase, BackupSettings* backup, RestoreSettings* restore, int* code) {
  CLI::App* command = app->add_subcommand("delete", "Delete series, log records or spans");
  command
      ->add_option("selectors", erase->selectors,
                   "What to delete: 'up{job=\"x\"}', 'logs{service=\"shop\"}', 'spans{name in (\"a\", \"b\")}'")
      ->required();
  CLI::Option* data = command->add_option("--data", erase->data, "Directory of the store; not in use [braid-data]");
  AddServer(command, &erase->server, data, "A running server's URL instead; needs its token");
  command->add_option("--start", erase->start, "First instant: RFC 3339, epoch seconds or -1h [the first]");
  command->add_option("--end", erase->end, "Last instant [the last]");
  command->callback([erase, code] { *code = RunDelete(*erase); });

  command = app->add_subcommand("backup", "Copy a store, also while it is in use");
  command->add_option("target", backup->target, "Directory for the copy; must be empty or not exist");
  data = command->add_option("--data", backup->data, "Directory of the store [braid-data]");
  AddServer(command, &backup->server, data,
            "Let a running server make the copy in its own snapshots directory; needs its token");
  command->callback([backup, code] { *code = RunBackup(*backup); });

  command = app->add_subcommand("restore", "Check a backup and make a store of it");
  command->add_option("backup", restore->backup, "Directory of the backup")->required();
  command->add_option("--data", restore->data, "Directory of the store; must be empty or not exist")
      ->capture_default_str();
  command->add_flag("-q,--quiet", restore->quiet, "No progress");
  command->callback([restore, code] { *code = RunRestore(*restore); });
}

void AddTorture(CLI::App* app, TortureSettings* settings, int* code) {
  CLI::App* command = app->add_subcommand(
      "torture", "Kill writing processes at random moments and compare the store with what they acknowledged");
  command->add_option("dir", settings->dir, "Directory on the disk to try; the stores made in it are removed again")
      ->required();
  command->add_option("--seconds", settings->seconds, "How long")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 32))
      ->capture_default_str();
  command->add_option("--seed", settings->seed, "Of the moments at which it kills")->capture_default_str();
  command->add_flag("-q,--quiet", settings->quiet, "No progress");
  command->callback([settings, code] { *code = RunTorture(*settings); });
}

void AddGenerate(CLI::App* app, GenerateSettings* settings, std::string* length, std::string* start, int* code) {
  CLI::App* command = app->add_subcommand("generate",
                                          "Write seeded telemetry of a small shop with an incident: metrics.om, "
                                          "logs.ndjson, spans.otlp.ndjson, truth.json");
  command->add_option("--out", settings->out, "Directory to write to; created if missing")->capture_default_str();
  command->add_option("--seed", settings->options.seed, "Same seed and settings, same bytes")->capture_default_str();
  command->add_option("--length", *length, "How long the shop runs")->capture_default_str();
  command->add_option("--start", *start, "When it starts [2026-01-01T10:00:00Z]");
  command->add_option("--rate", settings->options.requests_per_second, "Requests per second")->capture_default_str();
  command->add_option("--instances", settings->options.instances, "Instances of each service")->capture_default_str();
  command->add_flag("!--no-incident", settings->options.incident, "A quiet day");
  command->add_flag("-q,--quiet", settings->quiet, "No progress");
  command->callback([settings, length, start, code] {
    if (!ParseDurationText(*length, &settings->options.length)) {
      throw CLI::ValidationError("--length", "'" + *length + "' is not a duration such as 30m or 2h");
    }
    if (!start->empty() && !ParseTimeText(*start, Now(), &settings->options.start)) {
      throw CLI::ValidationError("--start", "'" + *start + "' is not a time such as 2026-01-31T10:00:00Z");
    }
    *code = RunGenerate(*settings);
  });
}

void AddLoad(CLI::App* app, LoadSettings* settings, std::string* length, int* code) {
  CLI::App* command = app->add_subcommand(
      "load", "Send made-up telemetry to a server, show rates and latencies, check that all that was taken is found");
  AddServer(command, &settings->server, nullptr, "Where to send [http://127.0.0.1:4318]");
  command->add_option("--signals", settings->signals, "metrics (remote write), logs, traces (OTLP)")
      ->delimiter(',')
      ->check(CLI::IsMember({"metrics", "logs", "traces"}))
      ->capture_default_str();
  command
      ->add_option("--rate", settings->options.rate, "Records a second of each signal; 0 = as fast as they are taken")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--concurrency", settings->options.concurrency, "Connections of each signal")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command->add_option("--duration", *length, "How long")->capture_default_str();
  command->add_option("--batch", settings->options.batch, "Records of a request")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--seed", settings->options.seed, "Seed of what is made up")->capture_default_str();
  command->add_flag("-q,--quiet", settings->quiet, "No progress");
  command->callback([settings, length, code] {
    if (!ParseDurationText(*length, &settings->options.length) || settings->options.length <= 0) {
      throw CLI::ValidationError("--duration", "'" + *length + "' is not a duration such as 30s or 5m");
    }
    *code = RunLoadCommand(*settings);
  });
}

void AddDemo(CLI::App* app, DemoSettings* settings, int* code) {
  CLI::App* command =
      app->add_subcommand("demo", "Make an incident, import it, answer it with one query, then serve it");
  command->add_flag("--once", settings->once, "Stop after the answer");
  command->add_option("--data", settings->data, "Directory for the demo's store; must not exist yet [a temporary one]");
  command->add_option("--listen", settings->listen,
                      "HOST:PORT to serve on, repeatable [127.0.0.1:4318 and [::1]:4318]");
  command->callback([settings, code] { *code = RunDemo(*settings); });
}

// What is not known on the command line, named with the nearest that is; "" if that is not what is wrong. CLI11 lists
// the positional arguments with it, and "--", and asks for a subcommand where one is misspelt.
std::string DescribeUnknown(const CLI::App& app, int argc, char** argv) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const CLI::App& at = chosen.empty() ? app : *chosen.front();
  std::vector<std::string> known;
  for (const CLI::Option* option : at.get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  }
  std::string word;
  const bool subcommand = chosen.empty() && argc > 1 && argv[1][0] != '-';
  for (const std::string& rest : at.remaining()) {
    if (!subcommand && word.empty() && rest.size() > 1 && rest[0] == '-' && rest != "--")
      word = rest.substr(0, rest.find('='));
  }
  if (subcommand) {
    word = argv[1];
    known.clear();
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(command->get_name());
    }
  }
  if (word.empty()) return "";
  const std::string nearest = DidYouMean(word, std::vector<std::string_view>(known.begin(), known.end()));
  const std::string of = chosen.empty() ? "braid" : "braid " + at.get_name();
  return "'" + word + "' is not " + (subcommand ? "a subcommand" : "an option of `" + of + "`") +
         (nearest.empty() ? "; see `" + of + " --help`" : "; " + nearest);
}

}  // namespace

int RunProgram(int argc, char** argv) {
  CLI::App app("Metrics, logs and traces in one store, answered by one query.", "braid");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("braid ") + BRAID_VERSION);
  app.footer(kFooter);
  app.get_formatter()->column_width(34);

  int code = 0;
  ServeSettings serve;
  RunSettings run;
  PipeSettings pipe;
  ImportSettings import;
  QuerySettings query;
  InspectSettings inspect;
  VerifySettings verify;
  DeleteSettings erase;
  BackupSettings backup;
  RestoreSettings restore;
  TortureSettings torture;
  GenerateSettings generate;
  std::string length = "30m", start;
  LoadSettings load;
  std::string load_length = "10s";
  DemoSettings demo;
  if (argc > 0) demo.program = argv[0];
  AddServe(&app, &serve, &code);
  AddCapture(&app, &run, &pipe, &code);
  AddImport(&app, &import, &code);
  AddQuery(&app, &query, &code);
  AddFiles(&app, &inspect, &verify, &code);
  AddLifecycle(&app, &erase, &backup, &restore, &code);
  AddTorture(&app, &torture, &code);
  AddGenerate(&app, &generate, &length, &start, &code);
  AddLoad(&app, &load, &load_length, &code);
  AddDemo(&app, &demo, &code);
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    command->footer(std::string("Examples:\n") + ExamplesOf(command->get_name()));
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool unknown = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
                         dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
    if (const std::string message = unknown ? DescribeUnknown(app, argc, argv) : ""; !message.empty()) {
      Fail(message);
      return 2;
    }
    if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && app.got_subcommand("run")) {
      Fail("a command is missing: `braid run [OPTIONS] -- COMMAND [ARGUMENTS]`, such as `braid run -- python3 app.py`");
      return 2;
    }
    // Help and version are "errors" that succeed; everything else is a wrong call.
    return app.exit(error) == 0 ? 0 : 2;
  }
  return code;
}

}  // namespace braid
