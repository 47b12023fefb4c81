# One image for both processes:
#   docker run -p 8000:8000 -v portal:/data IMAGE                            the web process
#   docker run -v portal:/data --no-healthcheck IMAGE runner                 the runner
# The steps are scripts/image.sh, which `make test` runs too.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN scripts/image.sh /opt/portal

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin portal \
    && install -d -o portal -g portal -m 0700 /data
COPY --from=build /opt/portal /opt/portal
ENV PATH=/opt/portal/bin:$PATH PYTHONUNBUFFERED=1 PORTAL_DATA_DIR=/data
USER portal
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
ENTRYPOINT ["portal"]
CMD ["serve", "--bind", "0.0.0.0:8000"]
