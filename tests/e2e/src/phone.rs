//! A phone: headless Chromium with a phone's screen, under its own WebDriver.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::Result;
use crate::process::{Running, wait_for};
use crate::window::{STEP, free_port};

/// A common phone's screen in CSS pixels, and how many real ones make one of them.
const SCREEN: (u32, u32, f64) = (412, 915, 2.0);

/// A browser with one page.
#[derive(Debug)]
pub struct Phone {
    client: Client,
    _driver: Running,
}

impl Phone {
    /// Starts the browser; what it keeps goes below `folder`. `still`: its person asked for less motion.
    pub async fn start(folder: &Path, still: bool) -> Result<Self> {
        let home = folder.join("phone");
        fs::create_dir_all(&home)?;
        let port = free_port()?;
        let mut command = Command::new("chromedriver");
        command
            .arg(format!("--port={port}"))
            .env("HOME", &home)
            .env("TMPDIR", &home)
            .env("LC_ALL", "C.UTF-8")
            .stdout(fs::File::create(home.join("driver.out"))?);
        let driver = Running::start(&mut command, &home.join("driver.log"))?.politely();
        wait_for("chromedriver", Duration::from_secs(20), || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        })?;
        let (width, height, ratio) = SCREEN;
        let mut arguments = vec![
            "--headless=new".to_owned(),
            // The only pages are our own, and in containers the sandbox has nothing to stand on.
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-background-networking".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--user-data-dir={}", home.join("profile").display()),
        ];
        if still {
            arguments.push("--force-prefers-reduced-motion".to_owned());
        }
        let mut capabilities = serde_json::Map::new();
        // The world's own authority is nobody a browser knows.
        capabilities.insert("acceptInsecureCerts".to_owned(), true.into());
        let metrics =
            json!({ "width": width, "height": height, "pixelRatio": ratio, "mobile": true });
        let options = json!({
            "args": arguments,
            "mobileEmulation": { "deviceMetrics": metrics },
        });
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        let connecting = async {
            ClientBuilder::new(HttpConnector::new())
                .capabilities(capabilities)
                .connect(&format!("http://127.0.0.1:{port}"))
                .await
        };
        let client = tokio::time::timeout(STEP, connecting)
            .await
            .map_err(|_| "the browser did not start")??;
        Ok(Self {
            client,
            _driver: driver,
        })
    }

    /// Opens an address as a camera does that has read it.
    pub async fn open(&self, url: &str) -> Result {
        // Only what stands after # may differ: a page that is open already would not load again.
        self.client.goto("about:blank").await?;
        Ok(self.client.goto(url).await?)
    }

    /// Waits until this element is shown.
    pub async fn wait(&self, css: &str) -> Result {
        let started = Instant::now();
        while !self.shows(css).await? {
            if started.elapsed() > STEP {
                let words = self.script("return document.body.innerText").await?;
                return Err(format!("{css} did not come; the page shows:\n{words}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Whether this element is shown.
    pub async fn shows(&self, css: &str) -> Result<bool> {
        for element in self.client.find_all(Locator::Css(css)).await? {
            if element.is_displayed().await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Touches this element.
    pub async fn touch(&self, css: &str) -> Result {
        self.wait(css).await?;
        Ok(self.client.find(Locator::Css(css)).await?.click().await?)
    }

    /// Runs JavaScript in the page.
    pub async fn script(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// Runs JavaScript that calls its last argument with the result, once it is there.
    pub async fn script_later(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute_async(script, Vec::new()).await?)
    }

    /// The real pixels of the screen, as PNG.
    pub async fn pixels(&self) -> Result<Vec<u8>> {
        Ok(self.client.screenshot().await?)
    }

    /// Ends the browser.
    pub async fn close(self) -> Result {
        Ok(self.client.close().await?)
    }
}
