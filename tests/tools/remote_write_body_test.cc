// Scraped metrics as remote write: what the encoder writes is read by the decoder of the server.
#include "tools/remote_write_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <snappy.h>

#include <bit>

#include "server/ingest/prometheus_text.h"
#include "server/ingest/remote_write.h"
#include "tests/ingest/batch_text.h"

namespace braid {
namespace {

TEST(RemoteWriteBody, APageArrivesWhole) {
  const std::string page =
      "# HELP shop_requests Requests\\nof it\n# TYPE shop_requests counter\n"
      "shop_requests_total{route=\"/ä\"} 3 1700000000.5 # {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\",user=\"u\"} 1 "
      "1700000000\n# TYPE load gauge\nload NaN\nload{cpu=\"1\"} -Inf\n# TYPE old unknown\n# EOF\n";
  ingest::PrometheusTextOptions options;
  options.now = 1'700'000'001 * kSecond;
  options.labels = {{"instance", "i"}, {"job", "shop"}};
  options.openmetrics = true;
  WriteBatch scraped;
  ingest::IngestReport report;
  ingest::PrometheusTextParser(options).ParseBody(page, &scraped, &report);
  ASSERT_EQ(report.rejected, 0u) << report.Summary();
  const LabelView gone[] = {{"__name__", "gone"}};
  scraped.AddSample(scraped.AddSeries(gone), options.now, std::bit_cast<double>(kStaleNanBits));

  const auto encoded = EncodeRemoteWrite(scraped);
  ASSERT_TRUE(encoded.ok()) << encoded.status();
  std::string body;
  ASSERT_TRUE(snappy::Uncompress(encoded->data(), encoded->size(), &body));
  WriteBatch received;
  ingest::IngestReport taken;
  ASSERT_TRUE(ingest::DecodeRemoteWrite(body, &received, &taken).ok());
  EXPECT_EQ(taken.rejected, 0u) << taken.Summary();
  EXPECT_EQ(Sorted(BatchText(received)), Sorted(BatchText(scraped)));
  EXPECT_EQ(received.counts().samples, 4u);
  EXPECT_EQ(received.counts().exemplars, 1u);
}

}  // namespace
}  // namespace braid
